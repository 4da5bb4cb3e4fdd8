package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// ReviewSchedulesName is the name, with its version, under which ReviewSchedules is
// registered and started.
const ReviewSchedulesName = "ReviewSchedulesV1"

// SchedulesReviewed is the signal that something was decided about whether the
// organization works. It carries nothing.
const SchedulesReviewed = "schedules-reviewed"

// KeepSchedules is the name of the activity that takes one step.
const KeepSchedules = "KeepSchedules"

// SchedulesInput is the input of ReviewSchedules, and of each of its steps.
type SchedulesInput struct {
	Organization string `json:"organization"`
	// Cursor is where the last step has ended; "": at the beginning.
	Cursor string `json:"cursor,omitempty"`
}

// SchedulesProgress is what is left after a step.
type SchedulesProgress struct {
	Cursor string        `json:"cursor,omitempty"` // where the next one begins
	Wait   time.Duration `json:"wait,omitempty"`   // after which all is to be looked at again
}

// ReviewSchedules pauses an organization's schedules while it does not work, and lets
// them go on when it does. Which of the two stands in the database: each step looks
// there, so that a decision is neither missed nor acted upon when it is old.
func ReviewSchedules(ctx workflow.Context, in SchedulesInput) error {
	reviewed := workflow.GetSignalChannel(ctx, SchedulesReviewed)
	for {
		for reviewed.ReceiveAsync(nil) { // the next step sees all that was decided until now
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, ReviewSchedulesName, in)
		}
		var left SchedulesProgress
		if err := execute(ctx, KeepSchedules, in, in, &left); err != nil {
			if reviewed.Len() > 0 && ctx.Err() == nil {
				continue // what was decided in the meantime may be another matter
			}
			return err
		}
		in.Cursor = left.Cursor
		switch {
		case left.Cursor != "":
		case left.Wait > 0:
			if err := sleepOrSignal(ctx, reviewed, left.Wait); err != nil {
				return err
			}
		case reviewed.Len() == 0:
			return nil
		}
	}
}
