package usecase_test

import (
	"context"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// TestTombstones holds everything that adds to an organization to the same rule.
// Only operators come so far: the organization's own keys have stopped.
func TestTombstones(t *testing.T) {
	t.Parallel()
	ada := users.AddInput{Email: "ada@example.com", Role: "viewer"}

	for name, add := range map[string]func(ctx context.Context, s services, o id.Org, u id.User) error{
		"a user": func(ctx context.Context, s services, o id.Org, _ id.User) error {
			_, err := s.users.Add(ctx, operator(), o, ada)
			return err
		},
		"users in bulk": func(ctx context.Context, s services, o id.Org, _ id.User) error {
			results, _, err := s.users.Bulk(ctx, operator(), o, []users.BulkItem{{Op: users.BulkAdd, Add: ada}}, false)
			return errors.Join(err, results[0].Err)
		},
		"users in bulk, or none": func(ctx context.Context, s services, o id.Org, _ id.User) error {
			results, _, err := s.users.Bulk(ctx, operator(), o, []users.BulkItem{{Op: users.BulkAdd, Add: ada}}, true)
			return errors.Join(err, results[0].Err)
		},
		"a user's key": func(ctx context.Context, s services, o id.Org, u id.User) error {
			_, _, err := s.apikeys.Create(ctx, operator(), o, apikeys.CreateInput{UserID: u, Name: "ci"})
			return err
		},
		"a key of its own": func(ctx context.Context, s services, o id.Org, _ id.User) error {
			_, _, err := s.apikeys.Create(ctx, operator(), o, apikeys.CreateInput{Name: "ci", Scopes: []string{"users:read"}})
			return err
		},
		"a role": func(ctx context.Context, s services, o id.Org, _ id.User) error {
			_, err := s.roles.Create(ctx, operator(), o, roles.CreateInput{Name: "ci", Permissions: []string{"users:read"}})
			return err
		},
	} {
		t.Run("Should give nothing to an organization that is being deleted, or was: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addOrg("own", org.Suspended)
			u := w.addUser(o, authz.Viewer, user.Active)
			for _, state := range []org.State{org.Deleting, org.Deleted} {
				w.setState(o, state)
				before := w.contents()
				is.True(errors.Is(add(t.Context(), s, o, u), org.ErrState))
				is.Equal(w.contents(), before)
			}
			w.setState(o, org.Suspended) // which can end
			is.NoErr(add(t.Context(), s, o, u))
		})
	}
}
