// Package worker runs Bulkhead's own workflows: it gives their activities the
// use cases to call.
package worker

import (
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
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

// Activities are the activities of Bulkhead's workflows.
type Activities struct {
	provisioning Provisioning
	log          *slog.Logger
}

// NewActivities returns the activities.
func NewActivities(p Provisioning, logger *slog.Logger) *Activities {
	return &Activities{provisioning: p, log: logger}
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
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}

// step makes an activity of one step of provisioning.
func (a *Activities) step(do func(context.Context, outbox.ProvisionPayload, int) error) func(context.Context, workflows.Step) error {
	return func(ctx context.Context, s workflows.Step) error {
		p, err := payload(s.ProvisionInput)
		if err != nil {
			return a.outcome(ctx, s.ProvisionInput, err)
		}
		attempt := s.Before + int(activity.GetInfo(ctx).Attempt)
		return a.outcome(ctx, s.ProvisionInput, do(ctx, p, attempt))
	}
}

func (a *Activities) fail(ctx context.Context, f workflows.Failure) error {
	p, err := payload(f.ProvisionInput)
	if err != nil {
		return a.outcome(ctx, f.ProvisionInput, err)
	}
	return a.outcome(ctx, f.ProvisionInput, a.provisioning.Fail(ctx, p, faultOf(f.Reason)))
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
func (a *Activities) outcome(ctx context.Context, in workflows.ProvisionInput, err error) error {
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
	a.log.LogAttrs(ctx, level, "A step of provisioning failed",
		slog.String("activity", info.ActivityType.Name), slog.Int("attempt", int(info.Attempt)),
		slog.String("organization", in.Organization), slog.String("operation", in.Operation),
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
