package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// ReviewNamespaceName is the name, with its version, under which ReviewNamespace is
// registered and started.
const ReviewNamespaceName = "ReviewNamespaceV1"

// NamespaceReviewed is the signal that something was decided about what the
// organization's namespace must be like. It carries nothing.
const NamespaceReviewed = "namespace-reviewed"

// ReconcileNamespace is the name of the activity that makes the namespace so.
const ReconcileNamespace = "ReconcileNamespace"

// NamespaceInput is the input of ReviewNamespace, and of its activity.
type NamespaceInput struct {
	Organization string `json:"organization"`
}

// NamespaceProgress is what is left after a look at a namespace.
type NamespaceProgress struct {
	Wait time.Duration `json:"wait,omitempty"` // after which to look again; zero: there is nothing left
}

// ReviewNamespace makes an organization's namespace as it must be. What that is stands
// in the database: each look goes there, so that a decision is neither missed nor
// acted upon when it is old.
func ReviewNamespace(ctx workflow.Context, in NamespaceInput) error {
	reviewed := workflow.GetSignalChannel(ctx, NamespaceReviewed)
	for {
		for reviewed.ReceiveAsync(nil) { // the next look sees all that was decided until now
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, ReviewNamespaceName, in)
		}
		var left NamespaceProgress
		err := execute(ctx, ReconcileNamespace, in, in, &left)
		switch {
		case err != nil && (reviewed.Len() == 0 || ctx.Err() != nil):
			return err
		case err == nil && left.Wait > 0:
			if err := sleepOrSignal(ctx, reviewed, left.Wait); err != nil {
				return err
			}
		case reviewed.Len() == 0:
			return nil
		}
	}
}
