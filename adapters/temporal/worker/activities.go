// Package worker runs Bulkhead's own workflows: it gives their activities the
// use cases to call.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
)

// Provisioning is the use case behind the activities. Every method may be
// repeated, and records on the operation how it went; attempt counts from 1.
type Provisioning interface {
	EnsureNamespace(ctx context.Context, p outbox.ProvisionPayload, attempt int) error
	EnsureSearchAttributes(ctx context.Context, p outbox.ProvisionPayload, attempt int) error
	Probe(ctx context.Context, p outbox.ProvisionPayload, attempt int) error
	Activate(ctx context.Context, p outbox.ProvisionPayload, attempt int) error
	// Fail ends the operation for good, for a reason whose public text its
	// readers see.
	Fail(ctx context.Context, p outbox.ProvisionPayload, reason error) error
}

// Deletion is the use case behind the activities that delete. Every method may be
// repeated, and records on the operation how it went; attempt counts from 1.
type Deletion interface {
	Plan(ctx context.Context, p outbox.DeletionPayload) (deletion.Plan, error)
	StopProvisioning(ctx context.Context, p outbox.DeletionPayload, attempt int) error
	DeleteNamespace(ctx context.Context, p outbox.DeletionPayload, attempt int) error
	AwaitReclaim(ctx context.Context, p outbox.DeletionPayload, attempt int) error
	Purge(ctx context.Context, p outbox.DeletionPayload, attempt int) error
	Finish(ctx context.Context, p outbox.DeletionPayload, attempt int) error
	// Fail ends the operation for good, for a reason whose public text its
	// readers see.
	Fail(ctx context.Context, p outbox.DeletionPayload, reason error) error
}

// Holds is the use case behind the activity that keeps schedules. Its method may be
// repeated.
type Holds interface {
	Review(ctx context.Context, p outbox.SchedulesPayload, cursor string) (holds.Progress, error)
}

// Namespaces is the use case behind the activity that makes namespaces as they must be.
// Its method may be repeated.
type Namespaces interface {
	Review(ctx context.Context, p outbox.NamespacePayload) (wait time.Duration, err error)
}

// Activities are the activities of Bulkhead's workflows.
type Activities struct {
	provisioning Provisioning
	deletion     Deletion
	holds        Holds
	namespaces   Namespaces
	log          *slog.Logger
}

// NewActivities returns the activities.
func NewActivities(p Provisioning, d Deletion, h Holds, n Namespaces, logger *slog.Logger) *Activities {
	return &Activities{provisioning: p, deletion: d, holds: h, namespaces: n, log: logger}
}

// registry is what a worker, and a test environment, registers activities with.
type registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers every activity under the name that the workflows use.
func (a *Activities) Register(r registry) {
	for name, f := range map[string]any{
		workflows.EnsureNamespace:        a.step(a.provisioning.EnsureNamespace),
		workflows.EnsureSearchAttributes: a.step(a.provisioning.EnsureSearchAttributes),
		workflows.ProbeNamespace:         a.step(a.provisioning.Probe),
		workflows.ActivateOrganization:   a.step(a.provisioning.Activate),
		workflows.FailProvisioning:       a.fail,

		workflows.PlanDeletion:      a.plan,
		workflows.StopProvisioning:  a.deletionStep(a.deletion.StopProvisioning),
		workflows.DeleteNamespace:   a.deletionStep(a.deletion.DeleteNamespace),
		workflows.AwaitReclaim:      a.deletionStep(a.deletion.AwaitReclaim),
		workflows.PurgeOrganization: a.deletionStep(a.deletion.Purge),
		workflows.FinishDeletion:    a.deletionStep(a.deletion.Finish),
		workflows.FailDeletion:      a.failDeletion,

		workflows.KeepSchedules:      a.keepSchedules,
		workflows.ReconcileNamespace: a.reconcileNamespace,
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

// step makes an activity of one step of provisioning.
func (a *Activities) step(do func(context.Context, outbox.ProvisionPayload, int) error) func(context.Context, workflows.Step) error {
	return func(ctx context.Context, s workflows.Step) error {
		p, err := payload(s.ProvisionInput)
		if err != nil {
			return a.outcome(ctx, s.Organization, err)
		}
		return a.outcome(ctx, s.Organization, do(ctx, p, s.Before+int(activity.GetInfo(ctx).Attempt)))
	}
}

func (a *Activities) fail(ctx context.Context, f workflows.Failure) error {
	p, err := payload(f.ProvisionInput)
	if err != nil {
		return a.outcome(ctx, f.Organization, err)
	}
	return a.outcome(ctx, f.Organization, a.provisioning.Fail(ctx, p, faultOf(f.Reason)))
}

// plan makes an activity of the look at a deletion.
func (a *Activities) plan(ctx context.Context, s workflows.DeletionStep) (workflows.DeletionPlan, error) {
	p, err := deletionPayload(s.DeletionInput)
	if err != nil {
		return workflows.DeletionPlan{}, a.outcome(ctx, s.Organization, err)
	}
	plan, err := a.deletion.Plan(ctx, p)
	return workflows.DeletionPlan{Over: plan.Over, Wait: plan.Wait}, a.outcome(ctx, s.Organization, err)
}

// deletionStep makes an activity of one step of a deletion.
func (a *Activities) deletionStep(do func(context.Context, outbox.DeletionPayload, int) error) func(context.Context, workflows.DeletionStep) error {
	return func(ctx context.Context, s workflows.DeletionStep) error {
		p, err := deletionPayload(s.DeletionInput)
		if err != nil {
			return a.outcome(ctx, s.Organization, err)
		}
		return a.outcome(ctx, s.Organization, do(ctx, p, s.Before+int(activity.GetInfo(ctx).Attempt)))
	}
}

func (a *Activities) failDeletion(ctx context.Context, f workflows.DeletionFailure) error {
	p, err := deletionPayload(f.DeletionInput)
	if err != nil {
		return a.outcome(ctx, f.Organization, err)
	}
	return a.outcome(ctx, f.Organization, a.deletion.Fail(ctx, p, faultOf(f.Reason)))
}

// keepSchedules makes an activity of one step of keeping schedules.
func (a *Activities) keepSchedules(ctx context.Context, in workflows.SchedulesInput) (workflows.SchedulesProgress, error) {
	p, err := deletionPayload(workflows.DeletionInput{Organization: in.Organization})
	if err != nil {
		return workflows.SchedulesProgress{}, a.outcome(ctx, in.Organization, err)
	}
	left, err := a.holds.Review(ctx, outbox.SchedulesPayload(p), in.Cursor)
	return workflows.SchedulesProgress{Cursor: left.Cursor, Wait: left.Wait}, a.outcome(ctx, in.Organization, err)
}

// reconcileNamespace makes an activity of the look at an organization's namespace.
func (a *Activities) reconcileNamespace(ctx context.Context, in workflows.NamespaceInput) (workflows.NamespaceProgress, error) {
	p, err := deletionPayload(workflows.DeletionInput(in))
	if err != nil {
		return workflows.NamespaceProgress{}, a.outcome(ctx, in.Organization, err)
	}
	wait, err := a.namespaces.Review(ctx, outbox.NamespacePayload(p))
	return workflows.NamespaceProgress{Wait: wait}, a.outcome(ctx, in.Organization, err)
}

func deletionPayload(in workflows.DeletionInput) (outbox.DeletionPayload, error) {
	org, err := id.Parse[id.OrgKind](in.Organization)
	if err != nil {
		return outbox.DeletionPayload{}, fault.InvalidField("/organization", "format", err.Error())
	}
	return outbox.DeletionPayload{Organization: org}, nil
}

func payload(in workflows.ProvisionInput) (outbox.ProvisionPayload, error) {
	org, err := id.Parse[id.OrgKind](in.Organization)
	if err != nil {
		return outbox.ProvisionPayload{}, fault.InvalidField("/organization", "format", err.Error())
	}
	op, err := id.Parse[id.OperationKind](in.Operation)
	if err != nil {
		return outbox.ProvisionPayload{}, fault.InvalidField("/operation", "format", err.Error())
	}
	return outbox.ProvisionPayload{Organization: org, Operation: op}, nil
}

// outcome turns a fault into what Temporal records. The cause stays in our own
// log: histories are kept, listed and exported, and are no place for internals.
func (a *Activities) outcome(ctx context.Context, org string, err error) error {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	info := activity.GetInfo(ctx)
	permanent := isPermanent(f.Kind)
	level := slog.LevelWarn
	if permanent || f.Kind == fault.Internal {
		level = slog.LevelError
	}
	a.log.LogAttrs(ctx, level, "A step of a system workflow failed",
		slog.String("activity", info.ActivityType.Name), slog.Int("attempt", int(info.Attempt)),
		slog.String("organization", org), slog.String("workflow", info.WorkflowExecution.ID),
		slog.Bool("permanent", permanent), slog.Any("error", err))
	message := fmt.Sprintf("%s: %s", f.Code, f.Public)
	if permanent {
		return temporal.NewNonRetryableApplicationError(message, workflows.Permanent, nil, workflows.Reason{Code: f.Code, Text: f.Public})
	}
	return temporal.NewApplicationErrorWithOptions(message, f.Kind.String(), temporal.ApplicationErrorOptions{})
}

// isPermanent tells whether repetition can not mend a fault of the kind. An
// internal one may be mended by the next release.
func isPermanent(k fault.Kind) bool {
	switch k {
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Forbidden:
		return true
	case fault.Internal, fault.Unauthenticated, fault.PreconditionFailed, fault.Exhausted, fault.Unavailable, fault.Timeout:
	}
	return false
}

// faultOf restores the fault whose code and text a history kept.
func faultOf(r workflows.Reason) *fault.Error {
	for _, f := range fault.All() {
		if f.Code == r.Code {
			return f.WithPublic(r.Text)
		}
	}
	return fault.ErrInternal.WithPublic(r.Text)
}
