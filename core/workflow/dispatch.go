package workflow

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// Outcome is what has come of a request to start a workflow.
type Outcome struct{ s string }

// The outcomes. A request has a run when it has started or joined one.
var (
	DispatchRequested = Outcome{"requested"} // nobody has said yet
	DispatchStarted   = Outcome{"started"}
	DispatchJoined    = Outcome{"joined"}  // what ran under the id already was used
	DispatchRefused   = Outcome{"refused"} // nothing was started
)

// Outcomes lists them all.
func Outcomes() []Outcome {
	return []Outcome{DispatchRequested, DispatchStarted, DispatchJoined, DispatchRefused}
}

// String returns the name.
func (o Outcome) String() string { return o.s }

// ParseOutcome reads a name.
func ParseOutcome(s string) (Outcome, error) {
	if o := (Outcome{s}); slices.Contains(Outcomes(), o) {
		return o, nil
	}
	return Outcome{}, fmt.Errorf("%q is no outcome of a dispatch", s)
}

// Dispatch is an entry of the ledger: what a request has asked to be started, and what
// has come of it.
type Dispatch struct {
	Org         id.Org
	Request     uuid.UUID // the same for each attempt at it; Temporal knows it, too
	WorkflowID  string
	Type        string
	TaskQueue   string
	Subject     string // who asked
	RequestedAt time.Time
	Outcome     Outcome
	RunID       string    // "" unless it has a run
	DecidedAt   time.Time // zero: not decided
}
