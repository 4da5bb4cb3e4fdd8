package usecase_test

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// good is a key as it is about to be stored, with its user and organization.
type good struct {
	key    apikey.Snapshot
	role   authz.Role
	user   user.State
	org    org.State
	secret apikey.Secret
	unkept bool // the key is not stored at all
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()

	// try authenticates with a good key that was changed, or whose world was.
	try := func(t *testing.T, change func(*world, *good)) (authz.Actor, *world, good, error) {
		t.Helper()
		w := newWorld(t)
		secret, err := apikey.NewSecret(random)
		must(t, err)
		g := good{
			key: apikey.Snapshot{
				ID: id.New[id.APIKeyKind](), Name: "k", Hash: peppers(t).Hash(secret), State: apikey.Active, Version: 1,
			},
			role: authz.Member, user: user.Active, org: org.Active, secret: secret,
		}
		change(w, &g)
		g.key.OrgID = w.addOrg("acme", g.org)
		if !g.role.IsZero() {
			g.key.UserID = w.addUser(g.key.OrgID, g.role, g.user)
		}
		if !g.unkept {
			w.addKey(g.key)
		}
		a, err := newServices(w).auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
		return a.Actor, w, g, err
	}

	t.Run("Should find the actor behind a good key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, w, g, err := try(t, func(_ *world, g *good) { g.key.Scopes = authz.SetOf(authz.WorkflowsRead) })
		is.NoErr(err)
		is.Equal(a.Kind(), authz.UserActor)
		is.Equal(a.Org(), g.key.OrgID)
		is.Equal(a.OrgSlug(), "acme")
		is.Equal(a.User(), g.key.UserID)
		is.Equal(a.Key(), g.key.ID)
		is.Equal(a.Role(), authz.Member)
		is.Equal(a.Permissions(), authz.SetOf(authz.WorkflowsRead))
		is.Equal(w.called(), []string{"Find"})
	})

	t.Run("Should accept a key that was stored under an older pepper", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, _, _, err := try(t, func(_ *world, g *good) { g.key.Hash = peppers(t).Candidates(g.secret)[1] })
		is.NoErr(err)
	})

	t.Run("Should accept a key that has not expired yet", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, _, _, err := try(t, func(w *world, g *good) { g.key.ExpiresAt = w.clock.Now().Add(time.Microsecond) })
		is.NoErr(err)
	})

	t.Run("Should bound an organization's own key by the organization", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, _, _, err := try(t, func(_ *world, g *good) { g.role, g.key.Scopes = authz.Role{}, authz.SetOf(permissions()...) })
		is.NoErr(err)
		is.Equal(a.Kind(), authz.OrganizationActor)
		is.Equal(a.Permissions(), authz.Admin.Permissions())
		is.True(!a.IsPlatform())
	})

	t.Run("Should give no power to a user without a role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, _, _, err := try(t, func(w *world, _ *good) {
			w.credentials.twist = func(c *apikey.Credential) { c.UserRole = authz.Role{} } // the schema rules it out
		})
		is.NoErr(err)
		is.Equal(a.Permissions(), authz.Set(0))
	})

	for name, change := range map[string]func(*world, *good){
		"it is unknown": func(_ *world, g *good) { g.unkept = true },
		"another key was found": func(w *world, _ *good) {
			w.credentials.twist = func(c *apikey.Credential) { c.Hash.Hash[31] ^= 1 }
		},
		"another pepper was found": func(w *world, _ *good) {
			w.credentials.twist = func(c *apikey.Credential) { c.Hash.Version = 1 }
		},
		"it is revoked":                   func(_ *world, g *good) { g.key.State = apikey.Revoked },
		"it is disabled":                  func(_ *world, g *good) { g.key.State = apikey.Disabled },
		"its organization is suspended":   func(_ *world, g *good) { g.org = org.Suspended },
		"its organization is being ended": func(_ *world, g *good) { g.org = org.Deleting },
		"its organization is gone":        func(_ *world, g *good) { g.org = org.Deleted },
		"it is presented from elsewhere": func(_ *world, g *good) {
			g.key.AllowedIPs = apikey.IPList{netip.MustParsePrefix("192.0.2.0/24")}
		},
		"its user is suspended":     func(_ *world, g *good) { g.user = user.Suspended },
		"its user is gone":          func(_ *world, g *good) { g.user = user.Removed },
		"it expires at this moment": func(w *world, g *good) { g.key.ExpiresAt = w.clock.Now() },
		"it has expired":            func(w *world, g *good) { g.key.ExpiresAt = w.clock.Now().Add(-time.Hour) },
	} {
		t.Run("Should refuse a key alike when "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			a, w, _, err := try(t, change)
			isRefusedAlike(t, err)
			is.Equal(a, authz.Actor{})
			is.Equal(w.called(), []string{"Find"})
		})
	}

	t.Run("Should refuse a malformed key without asking", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		for _, presented := range []string{"", "bhk_", "bhk_" + string(make([]byte, 49)), "x"} {
			_, err := s.auth.Authenticate(t.Context(), presented, netip.Addr{})
			isRefusedAlike(t, err)
		}
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should not take a missing database for a bad key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, away := range []error{fault.ErrUnavailable, io.ErrUnexpectedEOF} {
			a, _, _, err := try(t, func(w *world, _ *good) { w.breaks("Find", away) })
			is.True(errors.Is(err, away))
			is.Equal(a, authz.Actor{})
		}
	})
}

// isRefusedAlike fails unless all that leaves of an error is that of every refused
// key. Why it was refused is its cause, for the trail alone.
func isRefusedAlike(t *testing.T, err error) {
	t.Helper()
	f, why := fault.From(err), (*authz.CredentialError)(nil)
	if !errors.As(err, &why) || why.Reason == "" {
		t.Errorf("the trail is not told why: %v", err)
	}
	bare := *fault.ErrUnauthenticated
	if f.Kind != bare.Kind || f.Code != bare.Code || f.Public != bare.Public || f.Fields != nil || f.RetryAfter != 0 {
		t.Errorf("the caller is told more than that: %v", err)
	}
}
