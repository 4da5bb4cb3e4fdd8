package usecase_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
)

func TestExchange(t *testing.T) {
	t.Parallel()

	t.Run("Should sign for the organization's own namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		is.NoErr(s.Rotate(t.Context(), false))
		o := w.addOrg("own", org.Active)
		namespace := w.namespaceOf(o)
		by := holder(o, authz.Member)
		for _, access := range []signing.Access{signing.Read, signing.Write} {
			got, err := s.Exchange(t.Context(), by, o, access)
			is.NoErr(err)
			is.Equal(got, tokens.Token{
				JWT: got.JWT, Namespace: namespace, Access: access, ExpiresAt: w.clock.Now().Add(signing.TokenLife),
			})
			want := signing.TenantClaims(by.Key().String(), namespace, access, w.clock.Now())
			is.Equal(w.said(got.JWT), saying(w.keys.made()[0], want))
			is.Equal(w.crypto.signed[len(w.crypto.signed)-1], want)
		}
	})

	t.Run("Should not let a token outlive its key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		is.NoErr(s.Rotate(t.Context(), false))
		o := w.addOrg("own", org.Active)
		for ends, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: signing.TokenLife} {
			got, err := s.Exchange(t.Context(), authz.NewKeyActor(authz.KeyHolder{
				Org: o, Key: id.New[id.APIKeyKind](), Role: authz.Admin, ExpiresAt: w.clock.Now().Add(ends),
			}), o, signing.Write)
			is.NoErr(err)
			is.Equal(got.ExpiresAt, w.clock.Now().Add(want))
			is.Equal(w.said(got.JWT).ExpiresAt, got.ExpiresAt.Unix())
		}
	})

	for name, c := range map[string]struct {
		by    []authz.Permission
		read  error
		write error
	}{
		"reads":      {[]authz.Permission{authz.TokensRead}, nil, fault.ErrForbidden},
		"writes":     {[]authz.Permission{authz.TokensWrite}, fault.ErrForbidden, nil},
		"does both":  {[]authz.Permission{authz.TokensRead, authz.TokensWrite}, nil, nil},
		"does other": {[]authz.Permission{authz.WorkflowsStart}, fault.ErrForbidden, fault.ErrForbidden},
	} {
		t.Run("Should give no more access than a key that "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w).tokens
			is.NoErr(s.Rotate(t.Context(), false))
			o := w.addOrg("own", org.Active)
			_, err := s.Exchange(t.Context(), holder(o, authz.Admin, c.by...), o, signing.Read)
			is.True(errors.Is(err, c.read))
			is.Equal(err == nil, c.read == nil)
			_, err = s.Exchange(t.Context(), holder(o, authz.Admin, c.by...), o, signing.Write)
			is.True(errors.Is(err, c.write))
			is.Equal(err == nil, c.write == nil)
		})
	}

	t.Run("Should sign for an active organization alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		is.NoErr(s.Rotate(t.Context(), false))
		for _, state := range []org.State{org.Provisioning, org.Failed, org.Suspended, org.Deleting, org.Deleted} {
			o := w.addOrg("own-"+state.String(), state)
			for _, by := range []authz.Actor{holder(o, authz.Admin), operator()} {
				_, err := s.Exchange(t.Context(), by, o, signing.Write)
				is.True(errors.Is(err, org.ErrNotActive))
			}
		}
		is.Equal(len(w.crypto.signed), 0)
	})

	t.Run("Should give nobody a token for the system's namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		is.NoErr(s.Rotate(t.Context(), false))
		w.addSystem()
		for _, r := range []authz.Role{authz.Operator, authz.Admin} {
			for _, a := range []signing.Access{signing.Read, signing.Write} {
				_, err := s.Exchange(t.Context(), holder(id.SystemOrg, r), id.SystemOrg, a)
				is.True(errors.Is(err, org.ErrReserved))
			}
		}
		is.Equal(len(w.crypto.signed), 0)
	})

	t.Run("Should say when nothing can be signed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		o := w.addOrg("own", org.Active)
		_, err := s.Exchange(t.Context(), holder(o, authz.Admin), o, signing.Write)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		w.storeKeys(w.newKey(signing.Published), w.newKey(signing.Retiring))
		_, err = s.Exchange(t.Context(), holder(o, authz.Admin), o, signing.Write)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		w.breaks("Reads.Org", fault.ErrUnavailable)
		_, err = s.Exchange(t.Context(), holder(o, authz.Admin), o, signing.Write)
		is.True(errors.Is(err, fault.ErrUnavailable))
		is.Equal(len(w.crypto.signed), 0)
	})
}

// newKey makes a key, and storeKeys keeps some, unseen.
func (w *world) newKey(s signing.State) signing.Key {
	w.t.Helper()
	k, err := w.unseen.crypto.Generate(s, w.clock.Now())
	must(w.t, err)
	return k
}

func (w *world) storeKeys(keys ...signing.Key) {
	w.t.Helper()
	must(w.t, w.unseen.keys.Change(w.t.Context(), func([]signing.Key) ([]signing.Key, error) { return keys, nil }))
}
