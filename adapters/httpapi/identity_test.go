package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// toActor is what the contract says of an actor.
func toActor(a authz.Actor) gen.Actor {
	return gen.Actor{
		Kind:         gen.ActorKind(a.Kind().String()),
		Organization: gen.OrganizationRef{ID: a.Org().String(), Slug: a.OrgSlug()},
		UserID:       optional(a.User().String()), APIKeyID: optional(a.Key().String()),
		Role: a.Role().String(), Permissions: a.Permissions().Names(),
	}
}

func TestWhoami(t *testing.T) {
	t.Parallel()

	holder := func(change func(*authz.KeyHolder)) authz.Actor {
		h := authz.KeyHolder{
			Org: id.New[id.OrgKind](), OrgSlug: "acme", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Admin,
		}
		change(&h)
		return authz.NewKeyActor(h)
	}
	for name, actor := range map[string]authz.Actor{
		"a user":             holder(func(*authz.KeyHolder) {}),
		"an organization":    holder(func(h *authz.KeyHolder) { h.User = id.User{} }),
		"a key with a scope": holder(func(h *authz.KeyHolder) { h.Scopes = authz.SetOf(authz.WorkflowsStart) }),
		"a key without use":  holder(func(h *authz.KeyHolder) { h.Role, h.Scopes = authz.Viewer, authz.SetOf(authz.UsersCreate) }),
		"a part of Bulkhead": authz.Provisioner,
		"nobody":             {},
	} {
		t.Run("Should write what the contract's type would, for "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			var want bytes.Buffer
			is.NoErr(json.NewEncoder(&want).Encode(toActor(actor)))
			for range 2 { // the second in what the first has left
				w := httptest.NewRecorder()
				is.NoErr(whoami{&actor}.VisitGetWhoamiResponse(w))
				is.Equal(w.Body.String(), want.String())
				is.Equal(w.Header().Get("Content-Type"), "application/json")
			}
		})
	}
}
