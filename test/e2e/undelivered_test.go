package e2e

import (
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestUndelivered creates an organization while Temporal is away.
func TestUndelivered(t *testing.T) {
	t.Parallel()

	t.Run("Should say on the operation that Temporal is away, and say it no more when it is back", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := harness.NewStack(t)
		operator := s.Operator(t)
		s.Temporal.Kill(t)
		made, err := operator.CreateOrganization(t.Context(), organization("acme"), 0)
		is.NoErr(err)
		var waits *sdk.Operation
		harness.Eventually(t, "two deliveries have failed", func() bool {
			waits, err = operator.Operation(t.Context(), made.Operation.ID, 0)
			return err == nil && waits.Attempts >= 2
		})
		is.Equal(waits.State, sdk.OperationStatePending)
		is.True(waits.FailureCode == "unavailable" || waits.FailureCode == "timeout") // for want of a connection
		is.True(waits.Failure != "")
		s.Temporal.Restart(t)
		done, err := operator.AwaitOperation(t.Context(), made.Operation.ID, nil)
		is.NoErr(err)
		is.Equal(done.Failure+done.FailureCode, "")
		is.Equal(done.Attempts, int32(0))
	})
}
