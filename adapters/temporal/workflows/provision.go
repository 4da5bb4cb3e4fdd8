// Package workflows holds Bulkhead's own durable work. Its code is replayed
// from histories, perhaps years old: a change that would take another path
// through one of them needs a new version of the workflow.
package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// TaskQueue is the queue of Bulkhead's own workflows.
const TaskQueue = "bulkhead-system"

// ProvisionOrganizationName is the name, with its version, under which
// ProvisionOrganization is registered and started.
const ProvisionOrganizationName = "ProvisionOrganizationV1"

// The names of the activities.
const (
	EnsureNamespace        = "EnsureNamespace"
	EnsureSearchAttributes = "EnsureSearchAttributes"
	ProbeNamespace         = "ProbeNamespace"
	ActivateOrganization   = "ActivateOrganization"
	FailProvisioning       = "FailProvisioning"
)

// Permanent is the type of an activity's error that repetition does not mend.
// Its first detail is a Reason.
const Permanent = "Permanent"

// ProvisionInput is the input of ProvisionOrganization. Payloads hold
// identifiers only: what they name is read when it is acted upon.
type ProvisionInput struct {
	Organization string `json:"organization"`
	Operation    string `json:"operation"`
}

// Step is the input of the activities that provision.
type Step struct {
	ProvisionInput
	// Before is how often the step was tried before this activity, which counts
	// its own attempts from 1.
	Before int `json:"before,omitempty"`
}

// Reason is why provisioning came to a permanent end. Its text is public.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Failure is the input of FailProvisioning.
type Failure struct {
	ProvisionInput
	Reason Reason `json:"reason"`
}

const (
	// attemptTimeout is how long one attempt of a step may take. It is short, as
	// it is also how long the death of a worker may go unnoticed.
	attemptTimeout = 5 * time.Second
	firstRetry     = 100 * time.Millisecond
	maxRetry       = 10 * time.Second
)

// ProvisionOrganization gives an organization its namespace and activates it.
// Each step may be repeated, and is until it succeeds, unless its error is
// Permanent: then provisioning has failed, and that is recorded.
func ProvisionOrganization(ctx workflow.Context, in ProvisionInput) error {
	for _, name := range []string{EnsureNamespace, EnsureSearchAttributes, ProbeNamespace, ActivateOrganization} {
		if err := step(ctx, name, in); err != nil {
			if unrecorded := fail(ctx, in, err); unrecorded != nil {
				workflow.GetLogger(ctx).Error("The failure of provisioning was not recorded", "error", unrecorded)
			}
			return err
		}
	}
	return nil
}

// step runs an activity to its end. The first attempt is made within the
// workflow task, which costs no round trip to the server: when all goes well,
// the whole workflow is a single task. The following ones are the server's to
// make. It remembers them through any crash, and they add nothing to the
// history, so that they may go on for as long as it takes.
func step(ctx workflow.Context, name string, in ProvisionInput) error {
	return execute(ctx, name, Step{ProvisionInput: in}, Step{ProvisionInput: in, Before: 1}, nil)
}

// execute is step for any input: the first attempt's, and the later ones'.
func execute(ctx workflow.Context, name string, once, again, result any) error {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: attemptTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	err := workflow.ExecuteLocalActivity(local, name, once).Get(ctx, result)
	if err == nil || isFinal(err) {
		return err
	}
	return workflow.ExecuteActivity(durable(ctx), name, again).Get(ctx, result)
}

func durable(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attemptTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:        firstRetry,
			MaximumInterval:        maxRetry,
			NonRetryableErrorTypes: []string{Permanent},
		},
	})
}

// isFinal tells whether there is no point in another attempt.
func isFinal(err error) bool {
	var app *temporal.ApplicationError
	return temporal.IsCanceledError(err) || errors.As(err, &app) && app.Type() == Permanent
}

// fail records that provisioning has failed. A canceled workflow does so too,
// hence the disconnected context: otherwise its organization would seem to be
// in provisioning for ever.
func fail(ctx workflow.Context, in ProvisionInput, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	reason := reasonOf(cause, "Provisioning")
	return workflow.ExecuteActivity(durable(ctx), FailProvisioning, Failure{ProvisionInput: in, Reason: reason}).Get(ctx, nil)
}

func reasonOf(err error, work string) Reason {
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.HasDetails() {
		var r Reason
		if app.Details(&r) == nil && r.Code != "" {
			return r
		}
	}
	if temporal.IsCanceledError(err) {
		return Reason{Code: "operation.canceled", Text: work + " was canceled."}
	}
	return Reason{Code: "internal", Text: work + " failed."}
}
