package usecase_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// TestAllowListGrants looks for ways in which whoever the allow-list binds comes to a
// credential that it does not bind.
func TestAllowListGrants(t *testing.T) {
	t.Parallel()
	starts := authz.SetOf(authz.WorkflowsStart)
	anAddress := func() string { return id.New[id.UserKind]().Tail(8) + "@own.example" }
	type parties struct {
		*world
		services
		org  id.Org
		by   authz.Actor // bound, and may do everything with users and keys
		free id.User     // whose role no rule is for
		kept apikey.Key  // the organization's
	}
	prepare := func(t *testing.T) parties {
		t.Helper()
		w := newWorld(t)
		p := parties{world: w, services: newServices(w), org: w.addOrg("own", org.Active)}
		w.addUser(p.org, authz.Admin, user.Active)
		w.addRole(p.org, "peer", starts)
		bound := w.addRole(p.org, "keeper", starts|authz.SetOf(
			authz.APIKeysCreate, authz.APIKeysUpdate, authz.APIKeysRotate, authz.UsersCreate, authz.UsersUpdate, authz.WorkflowsRead,
		))
		p.by = holder(p.org, bound)
		p.free = w.addUser(p.org, w.addRole(p.org, "free", starts), user.Active)
		var err error
		p.kept, _, err = p.apikeys.Create(t.Context(), holder(p.org, authz.Admin), p.org, apikeys.CreateInput{Name: "kept", Scopes: starts.Names()})
		must(t, err)
		w.changeOrg(p.org, func(row *org.Snapshot) {
			report := []string{"Report"}
			row.Settings.AllowList = org.AllowList{{Role: "keeper", WorkflowTypes: report}, {Role: "peer", WorkflowTypes: report}}
		})
		return p
	}
	for name, do := range map[string]func(p parties, t *testing.T) error{
		"a key of the organization's": func(p parties, t *testing.T) error {
			_, _, err := p.apikeys.Create(t.Context(), p.by, p.org, apikeys.CreateInput{Name: "k", Scopes: starts.Names()})
			return err
		},
		"a key of somebody else's": func(p parties, t *testing.T) error {
			_, _, err := p.apikeys.Create(t.Context(), p.by, p.org, apikeys.CreateInput{Name: "k", UserID: p.free})
			return err
		},
		"the secret of a key": func(p parties, t *testing.T) error {
			_, _, err := p.apikeys.Rotate(t.Context(), p.by, p.org, p.kept.Snapshot().ID, apikey.Rotation{})
			return err
		},
		"a key with other scopes": func(p parties, t *testing.T) error {
			k, _, err := p.apikeys.Create(t.Context(), p.by, p.org, apikeys.CreateInput{Name: "k", Scopes: []string{authz.WorkflowsRead.String()}})
			must(t, err) // it starts nothing
			scopes := append(starts.Names(), authz.WorkflowsRead.String())
			_, err = p.apikeys.Update(t.Context(), p.by, p.org, k.Snapshot().ID, 0, apikeys.UpdateInput{Scopes: &scopes})
			return err
		},
		"a new user": func(p parties, t *testing.T) error {
			_, err := p.users.Add(t.Context(), p.by, p.org, users.AddInput{Email: anAddress(), Role: "free"})
			return err
		},
		"another role for a user": func(p parties, t *testing.T) error {
			u, err := p.users.Add(t.Context(), p.by, p.org, users.AddInput{Email: anAddress(), Role: "peer"})
			must(t, err) // it is bound as well
			_, err = p.users.Update(t.Context(), p.by, p.org, u.ID(), 0, users.UpdateInput{Role: "free"})
			return err
		},
		"one of many users": func(p parties, t *testing.T) error {
			results, _, err := p.users.Bulk(t.Context(), p.by, p.org, []users.BulkItem{{Op: users.BulkAdd, Add: users.AddInput{Email: anAddress(), Role: "free"}}}, false)
			must(t, err)
			return results[0].Err
		},
	} {
		t.Run("Should not give what may start more than one may oneself: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			p := prepare(t)
			is.True(errors.Is(do(p, t), authz.ErrPowerExceeded))
			p.changeOrg(p.org, func(row *org.Snapshot) { row.Settings.AllowList = nil })
			is.NoErr(do(p, t))
		})
	}
}
