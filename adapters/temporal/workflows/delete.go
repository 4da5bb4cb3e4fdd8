package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// DeleteOrganizationName is the name, with its version, under which
// DeleteOrganization is registered and started.
const DeleteOrganizationName = "DeleteOrganizationV1"

// DeletionReviewed is the signal that something was decided about the deletion:
// the organization is to be looked at again. It carries nothing.
const DeletionReviewed = "deletion-reviewed"

// The names of the activities that delete.
const (
	PlanDeletion      = "PlanDeletion"
	StopProvisioning  = "StopProvisioning"
	DeleteNamespace   = "DeleteNamespace"
	AwaitReclaim      = "AwaitReclaim"
	PurgeOrganization = "PurgeOrganization"
	FinishDeletion    = "FinishDeletion"
	FailDeletion      = "FailDeletion"
)

// DeletionInput is the input of DeleteOrganization.
type DeletionInput struct {
	Organization string `json:"organization"`
}

// DeletionStep is the input of the activities that delete.
type DeletionStep struct {
	DeletionInput
	// Before is how often the step was tried before this activity.
	Before int `json:"before,omitempty"`
}

// DeletionPlan is the result of PlanDeletion.
type DeletionPlan struct {
	Over bool          `json:"over,omitempty"` // there is nothing to do
	Wait time.Duration `json:"wait,omitempty"` // how long the grace still lasts
}

// DeletionFailure is the input of FailDeletion.
type DeletionFailure struct {
	DeletionInput
	Reason Reason `json:"reason"`
}

// DeleteOrganization takes an organization away when its grace is over. What was
// decided stands in the database, not here: after each signal, and when the grace
// seems to be over, it looks again. So it neither misses a decision nor acts on an
// old one, in whichever order the signals come.
func DeleteOrganization(ctx workflow.Context, in DeletionInput) error {
	reviewed := workflow.GetSignalChannel(ctx, DeletionReviewed)
	for {
		for reviewed.ReceiveAsync(nil) { // all that was decided until now is seen together
		}
		err := deleteOnce(ctx, reviewed, in)
		if reviewed.Len() > 0 {
			continue // what came in the meantime may be another attempt
		}
		return err
	}
}

// deleteOnce waits for the end of the grace and takes the steps, or returns when
// there is nothing to do.
func deleteOnce(ctx workflow.Context, reviewed workflow.ReceiveChannel, in DeletionInput) error {
	for {
		var plan DeletionPlan
		if err := execute(ctx, PlanDeletion, DeletionStep{DeletionInput: in}, DeletionStep{DeletionInput: in, Before: 1}, &plan); err != nil {
			return failDeletion(ctx, in, err)
		}
		if plan.Over {
			return nil
		}
		if plan.Wait <= 0 {
			break
		}
		if err := sleepOrSignal(ctx, reviewed, plan.Wait); err != nil {
			return failDeletion(ctx, in, err)
		}
	}
	for _, name := range []string{StopProvisioning, DeleteNamespace, AwaitReclaim, PurgeOrganization, FinishDeletion} {
		if err := execute(ctx, name, DeletionStep{DeletionInput: in}, DeletionStep{DeletionInput: in, Before: 1}, nil); err != nil {
			return failDeletion(ctx, in, err)
		}
	}
	return nil
}

// sleepOrSignal returns when the time is over or a signal has come, or with the
// error of the workflow's cancellation.
func sleepOrSignal(ctx workflow.Context, signals workflow.ReceiveChannel, d time.Duration) error {
	timed, stop := workflow.WithCancel(ctx)
	defer stop()
	timer := workflow.NewTimer(timed, d)
	workflow.NewSelector(ctx).
		AddFuture(timer, func(workflow.Future) {}).
		AddReceive(signals, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		Select(ctx)
	return ctx.Err()
}

// failDeletion records that the deletion has failed, and returns why.
func failDeletion(ctx workflow.Context, in DeletionInput, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	f := DeletionFailure{DeletionInput: in, Reason: reasonOf(cause, "The deletion")}
	if err := workflow.ExecuteActivity(durable(ctx), FailDeletion, f).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("The failure of a deletion was not recorded", "error", err)
	}
	return cause
}
