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

// keeping is a workflow environment whose steps do as a test says.
type keeping struct {
	env     *testsuite.TestWorkflowEnvironment
	steps   []func() (workflows.SchedulesProgress, error) // the last one again and again
	cursors []string
}

func setupKeeping(t *testing.T, steps ...func() (workflows.SchedulesProgress, error)) *keeping {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	k := &keeping{env: suite.NewTestWorkflowEnvironment(), steps: steps}
	k.env.RegisterActivityWithOptions(func(_ context.Context, in workflows.SchedulesInput) (workflows.SchedulesProgress, error) {
		step := k.steps[min(len(k.cursors), len(k.steps)-1)]
		k.cursors = append(k.cursors, in.Cursor)
		return step()
	}, activity.RegisterOptions{Name: workflows.KeepSchedules})
	k.env.RegisterWorkflowWithOptions(workflows.ReviewSchedules, workflow.RegisterOptions{Name: workflows.ReviewSchedulesName})
	return k
}

func (k *keeping) run() error {
	k.env.ExecuteWorkflow(workflows.ReviewSchedulesName, workflows.SchedulesInput{Organization: "org_1"})
	return k.env.GetWorkflowError()
}

func (k *keeping) review() { k.env.SignalWorkflow(workflows.SchedulesReviewed, nil) }

// left is a step that leaves so much.
func left(p workflows.SchedulesProgress) func() (workflows.SchedulesProgress, error) {
	return func() (workflows.SchedulesProgress, error) { return p, nil }
}

func TestReviewSchedules(t *testing.T) {
	t.Parallel()
	over := left(workflows.SchedulesProgress{})

	t.Run("Should take each step from where the last one ended, until there is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := setupKeeping(t, left(workflows.SchedulesProgress{Cursor: "a"}), left(workflows.SchedulesProgress{Cursor: "b"}), over)
		is.NoErr(k.run())
		is.Equal(k.cursors, []string{"", "a", "b"})
	})

	t.Run("Should look again after a while, from the beginning", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := setupKeeping(t, left(workflows.SchedulesProgress{Cursor: "a"}), left(workflows.SchedulesProgress{Wait: time.Minute}), over)
		began := k.env.Now()
		is.NoErr(k.run())
		is.Equal(k.cursors, []string{"", "a", ""})
		is.Equal(k.env.Now().Sub(began), time.Minute)
	})

	t.Run("Should look at once when something was decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := setupKeeping(t, left(workflows.SchedulesProgress{Wait: time.Hour}), over)
		began := k.env.Now()
		k.env.RegisterDelayedCallback(k.review, time.Minute)
		is.NoErr(k.run())
		is.Equal(len(k.cursors), 2)
		is.Equal(k.env.Now().Sub(began), time.Minute)
	})

	t.Run("Should not end while something was decided that it has not seen", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var k *keeping
		k = setupKeeping(t, func() (workflows.SchedulesProgress, error) {
			k.review()
			return workflows.SchedulesProgress{}, nil
		}, over)
		is.NoErr(k.run())
		is.Equal(len(k.cursors), 2)
	})

	t.Run("Should repeat a step until it succeeds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		away := func() (workflows.SchedulesProgress, error) {
			return workflows.SchedulesProgress{}, temporal.NewApplicationError("unavailable: not yet", "unavailable")
		}
		k := setupKeeping(t, left(workflows.SchedulesProgress{Cursor: "a"}), away, away, away, over)
		is.NoErr(k.run())
		is.Equal(k.cursors, []string{"", "a", "a", "a", "a"})
	})

	t.Run("Should end when a step fails for good, unless something was decided meanwhile", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		never := temporal.NewNonRetryableApplicationError("internal: never", workflows.Permanent, nil)
		k := setupKeeping(t, func() (workflows.SchedulesProgress, error) { return workflows.SchedulesProgress{}, never })
		is.True(k.run() != nil)
		is.Equal(len(k.cursors), 1)

		var again *keeping
		again = setupKeeping(t, func() (workflows.SchedulesProgress, error) {
			again.review()
			return workflows.SchedulesProgress{}, never
		}, over)
		is.NoErr(again.run())
		is.Equal(len(again.cursors), 2)
	})

	t.Run("Should end when it is canceled while it waits", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := setupKeeping(t, left(workflows.SchedulesProgress{Wait: time.Hour}))
		k.env.RegisterDelayedCallback(k.env.CancelWorkflow, time.Minute)
		is.True(temporal.IsCanceledError(k.run()))
	})
}
