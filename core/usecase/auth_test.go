package usecase_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
)

// credentials answers with one credential, whatever is asked.
type credentials struct {
	*world
	answer apikey.Credential
}

func (c *credentials) Find(context.Context, []apikey.Versioned) (apikey.Credential, error) {
	return c.answer, c.call("Find")
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	tenant, owner, k := id.New[id.OrgKind](), id.New[id.UserKind](), id.New[id.APIKeyKind]()

	// try authenticates with a good key whose stored credential was changed.
	try := func(t *testing.T, change func(*world, *credentials, apikey.Secret)) (authz.Actor, *world, error) {
		t.Helper()
		w := newWorld(t)
		secret, err := apikey.NewSecret(random)
		if err != nil {
			t.Fatal(err)
		}
		c := &credentials{world: w, answer: apikey.Credential{
			Key: k, Org: tenant, OrgSlug: "acme", OrgActive: true, User: owner, UserRole: authz.Member, UserOK: true,
			Hash: peppers(t).Hash(secret), State: apikey.Active,
		}}
		change(w, c, secret)
		a, err := auth.New(c, w, peppers(t)).Authenticate(t.Context(), secret.Reveal())
		return a, w, err
	}

	t.Run("Should find the actor behind a good key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, _, err := try(t, func(_ *world, c *credentials, _ apikey.Secret) { c.answer.Scopes = authz.SetOf(authz.WorkflowsRead) })
		is.NoErr(err)
		is.Equal(a.Kind(), authz.UserActor)
		is.Equal(a.Org(), tenant)
		is.Equal(a.OrgSlug(), "acme")
		is.Equal(a.User(), owner)
		is.Equal(a.Key(), k)
		is.Equal(a.Role(), authz.Member)
		is.Equal(a.Permissions(), authz.SetOf(authz.WorkflowsRead))
	})

	t.Run("Should accept a key that was stored under an older pepper", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, _, err := try(t, func(_ *world, c *credentials, s apikey.Secret) { c.answer.Hash = peppers(t).Candidates(s)[1] })
		is.NoErr(err)
	})

	t.Run("Should bound an organization's own key by the organization", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, _, err := try(t, func(_ *world, c *credentials, _ apikey.Secret) {
			c.answer.User, c.answer.UserRole, c.answer.Scopes = id.User{}, authz.Role{}, authz.SetOf(permissions()...)
		})
		is.NoErr(err)
		is.Equal(a.Kind(), authz.OrganizationActor)
		is.Equal(a.Permissions(), authz.Admin.Permissions())
		is.True(!a.IsPlatform())
	})

	t.Run("Should give no power to a user without a role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a, _, err := try(t, func(_ *world, c *credentials, _ apikey.Secret) { c.answer.UserRole = authz.Role{} })
		is.NoErr(err)
		is.Equal(a.Permissions(), authz.Set(0))
	})

	for name, change := range map[string]func(*world, *credentials, apikey.Secret){
		"it is unknown":             func(w *world, _ *credentials, _ apikey.Secret) { w.fail["Find"] = fault.ErrNotFound },
		"another key was found":     func(_ *world, c *credentials, _ apikey.Secret) { c.answer.Hash.Hash[31] ^= 1 },
		"another pepper was found":  func(_ *world, c *credentials, _ apikey.Secret) { c.answer.Hash.Version = 1 },
		"it is revoked":             func(_ *world, c *credentials, _ apikey.Secret) { c.answer.State = apikey.Revoked },
		"it is disabled":            func(_ *world, c *credentials, _ apikey.Secret) { c.answer.State = apikey.Disabled },
		"its organization is gone":  func(_ *world, c *credentials, _ apikey.Secret) { c.answer.OrgActive = false },
		"its user is gone":          func(_ *world, c *credentials, _ apikey.Secret) { c.answer.UserOK = false },
		"it expires at this moment": func(w *world, c *credentials, _ apikey.Secret) { c.answer.ExpiresAt = w.now },
		"it has expired":            func(w *world, c *credentials, _ apikey.Secret) { c.answer.ExpiresAt = w.now.Add(-time.Hour) },
	} {
		t.Run("Should refuse a key alike when "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			a, w, err := try(t, change)
			is.Equal(err, error(fault.ErrUnauthenticated)) // the sentinel itself: nothing tells why
			is.Equal(a, authz.Actor{})
			is.Equal(w.calls, []string{"Find"})
		})
	}

	t.Run("Should refuse a malformed key without asking", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := auth.New(&credentials{world: w}, w, peppers(t))
		for _, presented := range []string{"", "bhk_", "bhk_" + string(make([]byte, 49)), "x"} {
			_, err := s.Authenticate(t.Context(), presented)
			is.Equal(err, error(fault.ErrUnauthenticated))
		}
		is.Equal(len(w.calls), 0)
	})

	t.Run("Should not take a missing database for a bad key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, away := range []error{fault.ErrUnavailable, io.ErrUnexpectedEOF} {
			a, _, err := try(t, func(w *world, _ *credentials, _ apikey.Secret) { w.fail["Find"] = away })
			is.True(errors.Is(err, away))
			is.Equal(a, authz.Actor{})
		}
	})
}
