package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
)

var (
	condemned     = workflows.DeletionInput{Organization: "org_1"}
	deletionSteps = []string{
		workflows.StopProvisioning, workflows.DeleteNamespace, workflows.AwaitReclaim, workflows.PurgeOrganization, workflows.FinishDeletion,
	}
)

// end is a workflow environment whose activities do as a test says.
type end struct {
	env      *testsuite.TestWorkflowEnvironment
	plan     func() workflows.DeletionPlan // nil: go on
	do       func(call) error              // nil: succeed
	planned  []time.Time
	calls    []call
	failures []workflows.DeletionFailure
}

func setupEnd(t *testing.T) *end {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	e := &end{env: suite.NewTestWorkflowEnvironment()}
	e.env.RegisterActivityWithOptions(func(_ context.Context, s workflows.DeletionStep) (workflows.DeletionPlan, error) {
		e.planned = append(e.planned, e.env.Now())
		if s.DeletionInput != condemned {
			return workflows.DeletionPlan{}, errors.New("wrong input")
		}
		if e.plan == nil {
			return workflows.DeletionPlan{}, nil
		}
		return e.plan(), nil
	}, activity.RegisterOptions{Name: workflows.PlanDeletion})
	for _, name := range deletionSteps {
		e.env.RegisterActivityWithOptions(func(ctx context.Context, s workflows.DeletionStep) error {
			c := call{Name: name, Attempt: s.Before + int(activity.GetInfo(ctx).Attempt)}
			e.calls = append(e.calls, c)
			if s.DeletionInput != condemned {
				return errors.New("wrong input")
			}
			if e.do == nil {
				return nil
			}
			return e.do(c)
		}, activity.RegisterOptions{Name: name})
	}
	e.env.RegisterActivityWithOptions(func(_ context.Context, f workflows.DeletionFailure) error {
		e.failures = append(e.failures, f)
		return nil
	}, activity.RegisterOptions{Name: workflows.FailDeletion})
	e.env.RegisterWorkflowWithOptions(workflows.DeleteOrganization, workflow.RegisterOptions{Name: workflows.DeleteOrganizationName})
	return e
}

func (e *end) run() error {
	e.env.ExecuteWorkflow(workflows.DeleteOrganizationName, condemned)
	return e.env.GetWorkflowError()
}

func (e *end) review() { e.env.SignalWorkflow(workflows.DeletionReviewed, nil) }

// once is every step, taken once.
func once() []call {
	var want []call
	for _, name := range deletionSteps {
		want = append(want, call{Name: name, Attempt: 1})
	}
	return want
}

func TestDeleteOrganization(t *testing.T) {
	t.Parallel()
	const grace = 7 * 24 * time.Hour

	t.Run("Should wait for the end of the grace, and take every step once and in order", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		until := e.env.Now().Add(grace)
		e.plan = func() workflows.DeletionPlan {
			is.Equal(len(e.calls), 0)
			return workflows.DeletionPlan{Wait: max(0, until.Sub(e.env.Now()))}
		}
		is.NoErr(e.run())
		is.True(!e.env.Now().Before(until))
		is.Equal(len(e.planned), 2)
		is.Equal(e.calls, once())
		is.Equal(len(e.failures), 0)
	})

	t.Run("Should look again when something was decided: restored", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		restored := false
		e.plan = func() workflows.DeletionPlan { return workflows.DeletionPlan{Wait: grace, Over: restored} }
		began := e.env.Now()
		e.env.RegisterDelayedCallback(func() {
			restored = true
			e.review()
		}, time.Hour)
		is.NoErr(e.run())
		is.Equal(e.env.Now().Sub(began), time.Hour)
		is.Equal(len(e.calls), 0)
	})

	t.Run("Should look again when something was decided: hastened", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		wait := grace
		e.plan = func() workflows.DeletionPlan { return workflows.DeletionPlan{Wait: wait} }
		began := e.env.Now()
		e.env.RegisterDelayedCallback(func() {
			wait = 0
			e.review()
		}, time.Hour)
		is.NoErr(e.run())
		is.Equal(e.env.Now().Sub(began), time.Hour)
		is.Equal(e.calls, once())
	})

	t.Run("Should end at once when there is nothing to do", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		e.plan = func() workflows.DeletionPlan { return workflows.DeletionPlan{Over: true} }
		is.NoErr(e.run())
		is.Equal(len(e.calls), 0)
	})

	t.Run("Should repeat a step until it succeeds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		e.do = func(c call) error {
			if c.Name == workflows.AwaitReclaim && c.Attempt < 5 {
				return temporal.NewApplicationError("unavailable: not yet", "unavailable")
			}
			return nil
		}
		is.NoErr(e.run())
		is.Equal(len(e.calls), len(deletionSteps)+4)
		is.Equal(e.calls[len(e.calls)-1].Name, workflows.FinishDeletion)
	})

	for _, broken := range deletionSteps {
		t.Run("Should give up, and say why, when "+broken+" fails for good", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			e := setupEnd(t)
			e.do = func(c call) error {
				if c.Name != broken {
					return nil
				}
				return temporal.NewNonRetryableApplicationError("namespace.foreign: Not ours.", workflows.Permanent, nil,
					workflows.Reason{Code: "namespace.foreign", Text: "Not ours."})
			}
			err := e.run()
			var app *temporal.ApplicationError
			is.True(errors.As(err, &app))
			is.Equal(e.calls[len(e.calls)-1], call{Name: broken, Attempt: 1})
			is.Equal(e.failures, []workflows.DeletionFailure{{
				DeletionInput: condemned, Reason: workflows.Reason{Code: "namespace.foreign", Text: "Not ours."},
			}})
		})
	}

	t.Run("Should take another attempt that was asked for while it was failing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		broken := true
		e.do = func(c call) error {
			if c.Name == workflows.DeleteNamespace && broken {
				broken = false
				e.review()
				return temporal.NewNonRetryableApplicationError("namespace.foreign: Not ours.", workflows.Permanent, nil)
			}
			return nil
		}
		is.NoErr(e.run())
		is.Equal(len(e.failures), 1)
		is.Equal(e.calls[len(e.calls)-1].Name, workflows.FinishDeletion)
	})

	t.Run("Should record its failure even when it is canceled in its grace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := setupEnd(t)
		e.plan = func() workflows.DeletionPlan { return workflows.DeletionPlan{Wait: grace} }
		e.env.RegisterDelayedCallback(e.env.CancelWorkflow, time.Hour)
		is.True(temporal.IsCanceledError(e.run()))
		is.Equal(len(e.calls), 0)
		is.Equal(len(e.failures), 1)
		is.Equal(e.failures[0].Reason.Code, "operation.canceled")
	})
}
