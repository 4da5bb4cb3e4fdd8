package workflows_test

import (
	"context"
	"errors"
	"slices"
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
	input = workflows.ProvisionInput{Organization: "org_1", Operation: "op_1"}
	steps = []string{
		workflows.EnsureNamespace, workflows.EnsureSearchAttributes, workflows.ProbeNamespace, workflows.ActivateOrganization,
	}
)

// call is one execution of an activity.
type call struct {
	Name    string
	Attempt int // of the step, over all its activities
}

// bundle is a workflow environment whose activities do as a test says.
type bundle struct {
	env      *testsuite.TestWorkflowEnvironment
	do       func(call) error // nil: succeed
	calls    []call
	failures []workflows.Failure
}

func setup(t *testing.T) *bundle {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	b := &bundle{env: suite.NewTestWorkflowEnvironment()}
	for _, name := range steps {
		b.env.RegisterActivityWithOptions(func(ctx context.Context, s workflows.Step) error {
			c := call{Name: name, Attempt: s.Before + int(activity.GetInfo(ctx).Attempt)}
			b.calls = append(b.calls, c)
			if s.ProvisionInput != input {
				return errors.New("wrong input")
			}
			if b.do == nil {
				return nil
			}
			return b.do(c)
		}, activity.RegisterOptions{Name: name})
	}
	b.env.RegisterActivityWithOptions(func(_ context.Context, f workflows.Failure) error {
		b.failures = append(b.failures, f)
		return nil
	}, activity.RegisterOptions{Name: workflows.FailProvisioning})
	b.env.RegisterWorkflowWithOptions(workflows.ProvisionOrganization, workflow.RegisterOptions{Name: workflows.ProvisionOrganizationName})
	return b
}

func (b *bundle) run() error {
	b.env.ExecuteWorkflow(workflows.ProvisionOrganizationName, input)
	return b.env.GetWorkflowError()
}

func TestProvisionOrganization(t *testing.T) {
	t.Parallel()

	t.Run("Should take every step once and in order", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.NoErr(b.run())
		is.Equal(len(b.calls), len(steps))
		for i, name := range steps {
			is.Equal(b.calls[i], call{Name: name, Attempt: 1})
		}
		is.Equal(len(b.failures), 0)
	})

	t.Run("Should repeat a step until it succeeds and count its attempts", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		const good = 6 // the test environment allows ten
		b.do = func(c call) error {
			if c.Name == workflows.ProbeNamespace && c.Attempt < good {
				return temporal.NewApplicationError("unavailable: try again", "unavailable")
			}
			return nil
		}
		began := b.env.Now()
		is.NoErr(b.run())
		var attempts []int
		for _, c := range b.calls {
			if c.Name == workflows.ProbeNamespace {
				attempts = append(attempts, c.Attempt)
			}
		}
		is.Equal(attempts, []int{1, 2, 3, 4, 5, 6})
		is.True(b.env.Now().Sub(began) < 10*time.Second) // 0.1 s, doubled each time
		is.Equal(b.calls[len(b.calls)-1].Name, workflows.ActivateOrganization)
		is.Equal(len(b.failures), 0)
	})

	for _, broken := range steps {
		for at, attempt := range map[string]int{"first": 1, "third": 3} {
			t.Run("Should give up when "+broken+" fails for good at its "+at+" attempt", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				b := setup(t)
				b.do = func(c call) error {
					switch {
					case c.Name != broken:
						return nil
					case c.Attempt < attempt:
						return temporal.NewApplicationError("unavailable: try again", "unavailable")
					}
					return temporal.NewNonRetryableApplicationError("namespace.foreign: Not ours.", workflows.Permanent, nil,
						workflows.Reason{Code: "namespace.foreign", Text: "Not ours."})
				}
				err := b.run()
				var app *temporal.ApplicationError
				is.True(errors.As(err, &app))
				is.Equal(app.Type(), workflows.Permanent)
				is.Equal(b.calls[len(b.calls)-1], call{Name: broken, Attempt: attempt}) // no further attempt, no further step
				is.Equal(b.failures, []workflows.Failure{{
					ProvisionInput: input, Reason: workflows.Reason{Code: "namespace.foreign", Text: "Not ours."},
				}})
			})
		}
	}

	t.Run("Should record its failure even when it is canceled", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.do = func(c call) error {
			if c.Attempt == 3 {
				b.env.CancelWorkflow()
			}
			return temporal.NewApplicationError("unavailable: try again", "unavailable")
		}
		err := b.run()
		is.True(temporal.IsCanceledError(err))
		is.True(!slices.ContainsFunc(b.calls, func(c call) bool { return c.Name != workflows.EnsureNamespace }))
		is.Equal(len(b.failures), 1)
		is.Equal(b.failures[0].Reason.Code, "operation.canceled")
	})
}

// quiet is a logger of the SDK that says nothing: failures are what we test.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
