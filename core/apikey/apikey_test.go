package apikey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

var (
	t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	t1 = t0.Add(time.Hour)
)

func TestNew(t *testing.T) {
	t.Parallel()
	scopes := authz.SetOf(authz.WorkflowsRead)

	t.Run("Should be active and keep no secret", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i, o, u, s := id.New[id.APIKeyKind](), id.New[id.OrgKind](), id.New[id.UserKind](), newSecret(t)
		hash := peppers(t, 1).Hash(s)
		k, err := apikey.New(i, o, apikey.Spec{UserID: u, Name: "ci", Scopes: scopes, ExpiresAt: t1}, s, hash, t0)
		is.NoErr(err)
		is.Equal(k.Snapshot(), apikey.Snapshot{
			ID: i, OrgID: o, UserID: u, Name: "ci", Scopes: scopes, Hint: s.Reveal()[:12], LastFour: s.Reveal()[49:],
			Hash: hash, Generation: 1, State: apikey.Active, ExpiresAt: t1, Version: 1, CreatedAt: t0, UpdatedAt: t0,
		})
	})

	for name, c := range map[string]struct {
		spec apikey.Spec
		want error
	}{
		"no name":                               {apikey.Spec{UserID: id.New[id.UserKind]()}, fault.ErrInvalid},
		"a name that people could not read":     {apikey.Spec{UserID: id.New[id.UserKind](), Name: "a\x00"}, fault.ErrInvalid},
		"a long name":                           {apikey.Spec{UserID: id.New[id.UserKind](), Name: strings.Repeat("n", 101)}, fault.ErrInvalid},
		"an expiry in the past":                 {apikey.Spec{UserID: id.New[id.UserKind](), Name: "n", ExpiresAt: t0.Add(-1)}, fault.ErrInvalid},
		"an expiry at this moment":              {apikey.Spec{UserID: id.New[id.UserKind](), Name: "n", ExpiresAt: t0}, fault.ErrInvalid},
		"no user and no scopes":                 {apikey.Spec{Name: "n"}, apikey.ErrScopesUnset},
		"a user without scopes, for ever":       {apikey.Spec{UserID: id.New[id.UserKind](), Name: "n"}, nil},
		"scopes without a user":                 {apikey.Spec{Name: "n", Scopes: scopes}, nil},
		"an expiry a moment after this instant": {apikey.Spec{Name: "n", Scopes: scopes, ExpiresAt: t0.Add(1)}, nil},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := newSecret(t)
			_, err := apikey.New(id.New[id.APIKeyKind](), id.New[id.OrgKind](), c.spec, s, peppers(t, 1).Hash(s), t0)
			is.Equal(err == nil, c.want == nil)
			is.True(errors.Is(err, c.want))
		})
	}
}

func TestStateMachine(t *testing.T) {
	t.Parallel()
	states := []apikey.State{apikey.Active, apikey.Disabled, apikey.Revoked, {}}

	for name, m := range map[string]struct {
		call func(*apikey.Key) error
		to   map[apikey.State]apikey.State
	}{
		"Disable": {func(k *apikey.Key) error { return k.Disable(t1) }, map[apikey.State]apikey.State{apikey.Active: apikey.Disabled}},
		"Enable":  {func(k *apikey.Key) error { return k.Enable(t1) }, map[apikey.State]apikey.State{apikey.Disabled: apikey.Active}},
		"Revoke": {func(k *apikey.Key) error { k.Revoke(t1); return nil }, map[apikey.State]apikey.State{
			apikey.Active: apikey.Revoked, apikey.Disabled: apikey.Revoked, apikey.Revoked: apikey.Revoked, {}: apikey.Revoked,
		}},
	} {
		for _, from := range states {
			t.Run("Should "+name+" from "+from.String()+" as stated", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				before := apikey.Snapshot{State: from, Version: 3, CreatedAt: t0, UpdatedAt: t0, Name: "n"}
				k := apikey.Restore(before)
				err := m.call(&k)
				to, allowed := m.to[from]
				if !allowed {
					is.True(errors.Is(err, apikey.ErrState))
					is.Equal(k.Snapshot(), before)
					return
				}
				is.NoErr(err)
				want := before
				if to != from {
					want.State, want.Version, want.UpdatedAt = to, 4, t1
					if to == apikey.Revoked {
						want.RevokedAt = t1
					}
				}
				is.Equal(k.Snapshot(), want)
			})
		}
	}

	t.Run("Should say that a second revocation changed nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := apikey.Restore(apikey.Snapshot{State: apikey.Active})
		is.True(k.Revoke(t0))
		is.True(!k.Revoke(t1))
		is.Equal(k.Snapshot().RevokedAt, t0)
	})

	t.Run("Should know exactly the stated states", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range states {
			_, ok := apikey.ParseState(s.String())
			is.Equal(ok, s != apikey.State{})
		}
	})
}

func TestOwnerRole(t *testing.T) {
	t.Parallel()

	t.Run("Should be the user's, even when that is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, o := range []id.Org{id.New[id.OrgKind](), id.SystemOrg} {
			for _, r := range append(authz.Roles(), authz.Role{}) {
				is.Equal(apikey.OwnerRole(o, id.New[id.UserKind](), r), r)
			}
		}
	})

	t.Run("Should be the organization's strongest for a key of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(apikey.OwnerRole(id.New[id.OrgKind](), id.User{}, authz.Role{}), authz.Admin)
		is.Equal(apikey.OwnerRole(id.SystemOrg, id.User{}, authz.Role{}), authz.Operator)
	})
}
