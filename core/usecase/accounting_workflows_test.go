package usecase_test

import (
	"context"
	"maps"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

var _ = alsoAccount(map[string]accounted{
	"workflows.Start": {oneOrganization, authz.WorkflowsStart, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Start(ctx, by, o, workflow.Start{Type: "t", TaskQueue: "q"})
		return err
	}},
	"workflows.Describe": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Describe(ctx, by, o, "wf", "")
		return err
	}},
	"workflows.History": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.History(ctx, by, o, workflow.Target{ID: "wf"}, page.TokenRequest{Limit: 1})
		return err
	}},
	"workflows.Tasks": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, _, err := s.workflows.Tasks(ctx, by, o, workflow.Target{ID: "wf"}, page.TokenRequest{Limit: 1})
		return err
	}},
	"workflows.List": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.List(ctx, by, o, "", page.TokenRequest{Limit: 1})
		return err
	}},
	"workflows.Count": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Count(ctx, by, o, "", true)
		return err
	}},
	"workflows.Signal": {oneOrganization, authz.WorkflowsSignal, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.workflows.Signal(ctx, by, o, workflow.Target{ID: "wf"}, workflow.Message{Name: "n"})
	}},
	"workflows.Query": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Query(ctx, by, o, workflow.Target{ID: "wf"}, workflow.Message{Name: "n"})
		return err
	}},
	"workflows.Update": {oneOrganization, authz.WorkflowsSignal, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Update(ctx, by, o, workflow.Target{ID: "wf"}, "", workflow.Message{Name: "n"})
		return err
	}},
	"workflows.UpdateResult": {oneOrganization, authz.WorkflowsSignal, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.UpdateResult(ctx, by, o, workflow.Target{ID: "wf"}, "u", 0)
		return err
	}},
	"workflows.Cancel": {oneOrganization, authz.WorkflowsCancel, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.workflows.Cancel(ctx, by, o, workflow.Target{ID: "wf"}, "")
	}},
	"workflows.Terminate": {oneOrganization, authz.WorkflowsTerminate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.workflows.Terminate(ctx, by, o, workflow.Target{ID: "wf"}, "")
	}},
	"workflows.Reset": {oneOrganization, authz.WorkflowsReset, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Reset(ctx, by, o, workflow.Target{ID: "wf"}, workflow.Reset{To: workflow.FirstWorkflowTask, Reason: "r"})
		return err
	}},
	"workflows.Result": {oneOrganization, authz.WorkflowsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.workflows.Result(ctx, by, o, "wf", "", 0)
		return err
	}},
})

// alsoAccount adds to account what is stated in a file of its own.
func alsoAccount(more map[string]accounted) bool {
	maps.Copy(account, more)
	return true
}
