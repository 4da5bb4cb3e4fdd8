package workflow

import (
	"slices"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// ErrNotResettable is returned for a run that can not go back to where it is asked
// to.
var ErrNotResettable = fault.Define(fault.Conflict, "workflow.not_resettable",
	"The workflow can not be reset: it has had no workflow task, or Temporal does not allow it at this place.")

// ErrResetEvent is returned for an event that no run can go back to.
var ErrResetEvent = fault.InvalidField("/event_id", "range", "must be the event with which a workflow task started, completed, failed or timed out")

// ResetPoint is where a run is to go back to. The zero value is none.
type ResetPoint struct{ s string }

// The places to go back to. All that comes after them is done again, but signals and
// updates are kept.
var (
	FirstWorkflowTask = ResetPoint{"first_workflow_task"}
	LastWorkflowTask  = ResetPoint{"last_workflow_task"}
	AtEvent           = ResetPoint{"event"}
)

// ResetPoints lists them all.
func ResetPoints() []ResetPoint { return []ResetPoint{FirstWorkflowTask, LastWorkflowTask, AtEvent} }

// String returns the name; "" for the zero value.
func (p ResetPoint) String() string { return p.s }

// ParseResetPoint reads a name. What is none is the zero value.
func ParseResetPoint(s string) ResetPoint {
	if p := (ResetPoint{s}); slices.Contains(ResetPoints(), p) {
		return p
	}
	return ResetPoint{}
}

// Reset is a request to end a run and have another go on from a place in its
// history.
type Reset struct {
	To      ResetPoint
	EventID int64 // for AtEvent: the event with which a workflow task started or ended
	Reason  string
}

// Validate checks a reset. It fails with fault.ErrInvalid.
func (r Reset) Validate() error {
	switch {
	case r.To == (ResetPoint{}):
		return fault.InvalidField("/to", "enum", "must be one of: first_workflow_task, last_workflow_task, event")
	case r.To == AtEvent && r.EventID < 1:
		return fault.InvalidField("/event_id", "required", "is required where the reset is to an event")
	case r.To != AtEvent && r.EventID != 0:
		return fault.InvalidField("/event_id", "combination", "must be absent unless the reset is to an event")
	}
	return text.Check("/reason", r.Reason, maxReasonLen)
}
