package harness_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

// list lists the cluster's namespaces with a token, which needs a right of the
// cluster.
func list(t *testing.T, address, token string) error {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: address, Credentials: client.NewAPIKeyStaticCredentials(token),
		ConnectionOptions: client.ConnectionOptions{TLSDisabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.WorkflowService().ListNamespaces(t.Context(), &workflowservice.ListNamespacesRequest{})
	return err
}

func refused(err error) bool {
	var denied *serviceerror.PermissionDenied
	return errors.As(err, &denied)
}

func TestTemporal(t *testing.T) {
	t.Parallel()

	t.Run("Should be one server for the whole process", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(harness.Temporal(t), harness.Temporal(t))
	})

	t.Run("Should accept its own tokens for what they permit", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := harness.Temporal(t)
		is.NoErr(list(t, s.Address, s.Mint(t, "temporal-system:admin")))
		is.True(refused(list(t, s.Address, s.Mint(t, "org-a:write"))))
	})

	t.Run("Should refuse the tokens of another server and of another audience", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := harness.Temporal(t)
		other := harness.NewTemporal(t, harness.TemporalOptions{Audience: "somebody-else"})
		is.True(refused(list(t, s.Address, other.Mint(t, "temporal-system:admin"))))
		is.NoErr(list(t, other.Address, other.Mint(t, "temporal-system:admin"))) // its own audience
	})

	t.Run("Should come back at the same address after a kill", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := harness.NewTemporal(t, harness.TemporalOptions{})
		address := s.Address
		s.Kill(t)
		var away *serviceerror.Unavailable
		is.True(errors.As(list(t, address, s.Mint(t, "temporal-system:admin")), &away))
		s.Restart(t)
		is.Equal(s.Address, address)
		begun := time.Now()
		is.NoErr(list(t, address, s.Mint(t, "temporal-system:admin")))
		is.True(time.Since(begun) < 5*time.Second)
	})
}
