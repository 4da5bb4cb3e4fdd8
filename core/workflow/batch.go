package workflow

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The faults of batches.
var (
	// ErrBatchRunning is returned while another batch of the namespace runs: Temporal
	// runs one at a time.
	ErrBatchRunning = fault.Define(fault.Conflict, "workflow.batch_running",
		"Another batch runs. Wait until it has ended, or stop it.")
	// ErrBatchEnded is returned for what can only be done to one that has not ended.
	ErrBatchEnded = fault.Define(fault.Conflict, "workflow.batch_ended", "The batch has ended.")
	// ErrBatchesOff is returned where Temporal's configuration allows no batches.
	ErrBatchesOff = fault.Define(fault.Conflict, "workflow.batches_off",
		"Batches are switched off at Temporal. An operator must set frontend.enableBatcher in its dynamic configuration.")
	// ErrBatchQuery is ErrQuery where the query stands in the body of a request.
	ErrBatchQuery = fault.InvalidField("/query", "format", badQuery)
)

// BatchKind is what a batch does to each execution.
type BatchKind struct{ s string }

// The kinds of batches.
var (
	BatchCancel    = BatchKind{"cancel"}
	BatchTerminate = BatchKind{"terminate"}
	BatchSignal    = BatchKind{"signal"}
)

var batchKinds = []BatchKind{BatchCancel, BatchTerminate, BatchSignal}

// String returns the kind's name.
func (k BatchKind) String() string { return k.s }

// BatchState is how a batch stands.
type BatchState struct{ s string }

// The states of a batch. One that was stopped has failed, too: that is how
// Temporal has it.
var (
	BatchRunning   = BatchState{"running"}
	BatchCompleted = BatchState{"completed"} // every execution was tried
	BatchFailed    = BatchState{"failed"}
)

// String returns the state's name.
func (s BatchState) String() string { return s.s }

// BatchStart is a request to do something to each execution that runs, or is
// paused, and that a query chooses.
type BatchStart struct {
	Kind   BatchKind
	Query  string   // never "": that everything is meant must be said
	Reason string   // "" is none, which a batch that terminates must not have
	Signal *Message // of BatchSignal alone
}

// systemAttribute is part of every name of the attribute by which Temporal keeps
// its own executions in a namespace apart: its batches, its older schedules.
const systemAttribute = "namespacedivision"

// Validate checks a start. It fails with fault.ErrInvalid.
func (b BatchStart) Validate() error {
	if b.Query == "" {
		return fault.InvalidField("/query", "required", "must not be empty; all that runs is ExecutionStatus = 'Running'")
	}
	if err := checkQuery("/query", b.Query); err != nil {
		return err
	}
	if strings.Contains(strings.ToLower(b.Query), systemAttribute) {
		return fault.InvalidField("/query", "reserved", "must not reach for Temporal's own executions")
	}
	if b.Reason == "" && b.Kind == BatchTerminate {
		return fault.InvalidField("/reason", "required", "must not be empty")
	}
	if err := CheckReason(b.Reason); err != nil {
		return err
	}
	if b.Signal != nil {
		return b.Signal.validateAt("/signal")
	}
	return nil
}

// Batch is something that is done to many executions, one after the other.
type Batch struct {
	ID    string
	Kind  BatchKind
	State BatchState
	// Query, Reason and StartedBy are "" where batches are listed, and where Temporal
	// does not know them.
	Query, Reason, StartedBy string
	// Progress is nil where batches are listed, and of one that has just begun or has
	// failed: then Temporal does not say.
	Progress  *BatchProgress
	StartedAt time.Time
	ClosedAt  time.Time // zero: still running
}

// BatchProgress is how far a batch has come. While it runs it is about right.
type BatchProgress struct {
	Total  int64 // executions that the query has chosen
	Done   int64
	Failed int64 // those that it was tried with in vain, such as one that ended meanwhile
}

// batchPrefix begins the id of each batch.
const batchPrefix = "batch-"

// NewBatchID returns the id of a batch, which tells its kind.
func NewBatchID(k BatchKind, unique uuid.UUID) string {
	return batchPrefix + k.s + "-" + unique.String()
}

// BatchKindOf reads the kind from a batch's id. An id that is none of ours, such
// as that of a batch that was started by other means, is simply not found.
func BatchKindOf(batchID string) (BatchKind, error) {
	for _, k := range batchKinds {
		unique, ok := strings.CutPrefix(batchID, batchPrefix+k.s+"-")
		if !ok {
			continue
		}
		if u, err := uuid.Parse(unique); err == nil && u.String() == unique {
			return k, nil
		}
	}
	return BatchKind{}, ErrNotFound
}

// CheckBatchStop checks why a batch is stopped, which must be said. It fails with
// fault.ErrInvalid.
func CheckBatchStop(reason string) error {
	if reason == "" {
		return fault.InvalidField("/reason", "required", "must not be empty")
	}
	return CheckReason(reason)
}
