package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/adapters/temporal/workflows"
)

// reconciling is a workflow environment whose looks at a namespace do as a test says.
type reconciling struct {
	env   *testsuite.TestWorkflowEnvironment
	looks []func() (time.Duration, error) // the last one again and again
	taken int
}

func setupReconciling(t *testing.T, looks ...func() (time.Duration, error)) *reconciling {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	r := &reconciling{env: suite.NewTestWorkflowEnvironment(), looks: looks}
	r.env.RegisterActivityWithOptions(func(context.Context, workflows.NamespaceInput) (workflows.NamespaceProgress, error) {
		look := r.looks[min(r.taken, len(r.looks)-1)]
		r.taken++
		wait, err := look()
		return workflows.NamespaceProgress{Wait: wait}, err
	}, activity.RegisterOptions{Name: workflows.ReconcileNamespace})
	r.env.RegisterWorkflowWithOptions(workflows.ReviewNamespace, workflow.RegisterOptions{Name: workflows.ReviewNamespaceName})
	return r
}

func (r *reconciling) run() error {
	r.env.ExecuteWorkflow(workflows.ReviewNamespaceName, workflows.NamespaceInput{Organization: "org_1"})
	return r.env.GetWorkflowError()
}

func (r *reconciling) review() { r.env.SignalWorkflow(workflows.NamespaceReviewed, nil) }

func TestReviewNamespace(t *testing.T) {
	t.Parallel()
	over := func() (time.Duration, error) { return 0, nil }
	wait := func() (time.Duration, error) { return time.Minute, nil }

	t.Run("Should look again as long as there is something left", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := setupReconciling(t, wait, wait, over)
		began := r.env.Now()
		is.NoErr(r.run())
		is.Equal(r.taken, 3)
		is.Equal(r.env.Now().Sub(began), 2*time.Minute)
	})

	t.Run("Should not end while something was decided that it has not seen", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var r *reconciling
		r = setupReconciling(t, func() (time.Duration, error) {
			r.review()
			return 0, nil
		}, over)
		is.NoErr(r.run())
		is.Equal(r.taken, 2)
	})

	t.Run("Should look at once when something was decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := setupReconciling(t, wait, over)
		r.env.RegisterDelayedCallback(r.review, time.Second)
		began := r.env.Now()
		is.NoErr(r.run())
		is.Equal(r.env.Now().Sub(began), time.Second)
	})

	t.Run("Should repeat what fails, and end with what fails for good, unless something was decided meanwhile", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		away := func() (time.Duration, error) {
			return 0, temporal.NewApplicationError("unavailable: not yet", "unavailable")
		}
		never := func() (time.Duration, error) {
			return 0, temporal.NewNonRetryableApplicationError("namespace.foreign: never", workflows.Permanent, nil)
		}
		r := setupReconciling(t, away, away, away, over)
		is.NoErr(r.run())
		is.Equal(r.taken, 4)

		r = setupReconciling(t, never)
		is.True(r.run() != nil)
		is.Equal(r.taken, 1)

		var again *reconciling
		again = setupReconciling(t, func() (time.Duration, error) {
			again.review()
			return never()
		}, over)
		is.NoErr(again.run())
		is.Equal(again.taken, 2)
	})

	t.Run("Should end when it is canceled while it waits", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		r := setupReconciling(t, func() (time.Duration, error) { return time.Hour, nil })
		r.env.RegisterDelayedCallback(r.env.CancelWorkflow, time.Minute)
		is.True(temporal.IsCanceledError(r.run()))
	})
}
