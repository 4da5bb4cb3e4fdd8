package workflow

import (
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// ErrClosed is returned for what can only be done to an execution that has not
// ended.
var ErrClosed = fault.Define(fault.Conflict, "workflow.closed", "The workflow has ended.")

// maxReasonLen is the longest reason, in characters.
const maxReasonLen = 500

// Target names an execution: a run, or the latest when RunID is "".
type Target struct{ ID, RunID string }

// Signal is a message to an execution.
type Signal struct {
	Name  string
	Input []json.RawMessage // the arguments, in order
}

// Validate checks a signal. It fails with fault.ErrInvalid.
func (s Signal) Validate() error {
	if err := checkName("/name", s.Name); err != nil {
		return err
	}
	return checkInput(s.Input)
}

// CheckReason checks why an execution is ended; "" is no reason, and fine. It
// fails with fault.ErrInvalid.
func CheckReason(s string) error {
	if s == "" {
		return nil
	}
	return text.Check("/reason", s, maxReasonLen)
}

// checkInput bounds the arguments of a call, all together.
func checkInput(args []json.RawMessage) error {
	n := 0
	for _, a := range args {
		n += len(a)
	}
	if n > MaxInputBytes {
		return fault.InvalidField("/input", "max_size", "must have at most 512 KiB")
	}
	return nil
}
