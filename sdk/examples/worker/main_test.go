package main

import (
	"context"
	"errors"
	"testing"

	"github.com/matryer/is"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

func TestGreet(t *testing.T) {
	t.Run("Should greet by name", func(t *testing.T) {
		is := is.New(t)
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestWorkflowEnvironment()
		env.RegisterActivity(Compose)
		env.ExecuteWorkflow(Greet, "Ada")
		is.NoErr(env.GetWorkflowError())
		var greeting string
		is.NoErr(env.GetWorkflowResult(&greeting))
		is.Equal(greeting, "Hello, Ada!")
	})
	t.Run("Should fail when the greeting cannot be composed", func(t *testing.T) {
		is := is.New(t)
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestWorkflowEnvironment()
		hoarse := func(context.Context, string) (string, error) {
			return "", temporal.NewNonRetryableApplicationError("hoarse", "Voice", nil)
		}
		env.RegisterActivityWithOptions(hoarse, activity.RegisterOptions{Name: "Compose"})
		env.ExecuteWorkflow(Greet, "Ada")
		var failure *temporal.ApplicationError
		is.True(errors.As(env.GetWorkflowError(), &failure))
		is.Equal(failure.Message(), "hoarse")
	})
}

func TestRun(t *testing.T) {
	t.Run("Should say what is missing", func(t *testing.T) {
		is := is.New(t)
		t.Setenv("BULKHEAD_URL", "")
		is.True(run(t.Context()) != nil)
	})
}
