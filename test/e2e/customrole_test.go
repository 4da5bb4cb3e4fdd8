package e2e

import (
	"errors"
	"net/http"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestCustomRole follows a role from its making to what the key of somebody who
// has it may do, and to what becomes of that when the role changes.
func TestCustomRole(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := harness.NewStack(t)
	acme, globex := s.NewTenant(t, "acme"), s.NewTenant(t, "globex")
	ctx := t.Context()

	made, err := acme.Client.CreateRole(ctx, "acme", sdk.RoleCreate{
		Name: "registrar", Permissions: []string{"users:read", "users:create", "tokens:read"},
	})
	is.NoErr(err)
	grace, err := acme.Client.CreateUser(ctx, "acme", sdk.UserCreate{Email: "grace@acme.example", Role: "registrar"})
	is.NoErr(err)
	is.Equal(grace.RoleID, made.ID)
	key, err := acme.Client.CreateAPIKey(ctx, "acme", sdk.APIKeyCreate{Name: "hers", UserID: grace.ID})
	is.NoErr(err)
	hers := s.Client(t, key.Secret)

	who, err := hers.Whoami(ctx)
	is.NoErr(err)
	is.Equal(who.Role, "registrar")
	is.Equal(len(who.Permissions), 3)
	_, err = hers.ListUsers(ctx, "acme", sdk.UserFilter{}, sdk.ListOptions{})
	is.NoErr(err)
	token, err := hers.Token(ctx, sdk.TokenRequest{Access: sdk.TokenRequestAccessRead})
	is.NoErr(err)
	is.Equal(token.Namespace, acme.Org.Namespace)

	status := func(err error) int {
		t.Helper()
		var problem *sdk.Error
		is.True(errors.As(err, &problem))
		return problem.Status
	}
	_, err = hers.CreateUser(ctx, "acme", sdk.UserCreate{Email: "linus@acme.example", Role: "admin"})
	is.Equal(status(err), http.StatusForbidden) // more than she may do herself
	_, err = hers.ListAPIKeys(ctx, "acme", sdk.APIKeyFilter{}, sdk.ListOptions{})
	is.Equal(status(err), http.StatusForbidden)
	_, err = hers.Token(ctx, sdk.TokenRequest{Access: sdk.TokenRequestAccessWrite})
	is.Equal(status(err), http.StatusForbidden)
	_, err = hers.CreateRole(ctx, "acme", sdk.RoleCreate{Name: "mine", Permissions: []string{"users:read"}})
	is.Equal(status(err), http.StatusForbidden)
	_, err = hers.ListUsers(ctx, "globex", sdk.UserFilter{}, sdk.ListOptions{})
	is.Equal(status(err), http.StatusNotFound)
	_, err = globex.Client.CreateUser(ctx, "globex", sdk.UserCreate{Email: "eve@globex.example", Role: made.ID})
	is.Equal(status(err), http.StatusBadRequest) // there is no such role

	why, err := hers.Explain(ctx, sdk.Question{Action: "apikeys:read", Resource: "acme"})
	is.NoErr(err)
	is.Equal(why.DecidedBy, sdk.ExplanationDecidedByRole)
	is.True(!why.Allowed)

	_, err = acme.Client.UpdateRole(ctx, "acme", "registrar", made.Etag, sdk.RoleUpdate{Permissions: []string{"apikeys:read"}})
	is.NoErr(err)
	harness.Eventually(t, "the key may do what its owner's role says now", func() bool {
		_, err := hers.ListAPIKeys(ctx, "acme", sdk.APIKeyFilter{}, sdk.ListOptions{})
		return err == nil
	})
	_, err = hers.ListUsers(ctx, "acme", sdk.UserFilter{}, sdk.ListOptions{})
	is.Equal(status(err), http.StatusForbidden)
	is.Equal(status(acme.Client.DeleteRole(ctx, "acme", "registrar", sdk.AnyVersion)), http.StatusConflict) // she has it
}
