package usecase_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
)

var signingPolicy = signing.Policy{Rotate: 24 * time.Hour, Publish: 15 * time.Minute, Retire: time.Hour}

func newTokens(w *world) (*tokens.Service, *keyring) {
	k := &keyring{world: w}
	return tokens.New(w, k, k, w, signingPolicy), k
}

// wall is the clock of a bubble.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

// silent is a keyring whose database may not answer.
type silent struct {
	*keyring
	hangs bool
}

func (s *silent) List(ctx context.Context) ([]signing.Key, error) {
	if s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.keyring.List(ctx)
}

// count returns how often a port was called.
func (w *world) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == name {
			n++
		}
	}
	return n
}

func TestExchange(t *testing.T) {
	t.Parallel()

	t.Run("Should sign for the organization's own namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, k := newTokens(w)
		is.NoErr(s.Rotate(t.Context(), false))
		o := w.addOrg("own", org.Active)
		row := w.orgs[o]
		by := holder(o, authz.Member)
		for _, access := range []signing.Access{signing.Read, signing.Write} {
			got, err := s.Exchange(t.Context(), by, o, access)
			is.NoErr(err)
			is.Equal(got, tokens.Token{
				JWT: "a." + row.Namespace() + ":" + access.String(), Namespace: row.Namespace(), Access: access,
				ExpiresAt: w.now.Add(signing.TokenLife),
			})
			is.Equal(k.signed[len(k.signed)-1], signing.TenantClaims(by.Key().String(), row.Namespace(), access, w.now))
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
			s, _ := newTokens(w)
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
		for _, state := range []org.State{org.Provisioning, org.Failed, org.Suspended, org.Deleting, org.Deleted} {
			w := newWorld(t)
			s, k := newTokens(w)
			is.NoErr(s.Rotate(t.Context(), false))
			o := w.addOrg("own", state)
			for _, by := range []authz.Actor{holder(o, authz.Admin), operator()} {
				_, err := s.Exchange(t.Context(), by, o, signing.Write)
				is.True(errors.Is(err, org.ErrNotActive))
			}
			is.Equal(len(k.signed), 0)
		}
	})

	t.Run("Should give nobody a token for the system's namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, k := newTokens(w)
		is.NoErr(s.Rotate(t.Context(), false))
		w.orgs[id.SystemOrg] = org.NewSystem(w.now)
		for _, r := range []authz.Role{authz.Operator, authz.Admin} {
			for _, a := range []signing.Access{signing.Read, signing.Write} {
				_, err := s.Exchange(t.Context(), holder(id.SystemOrg, r), id.SystemOrg, a)
				is.True(errors.Is(err, org.ErrReserved))
			}
		}
		is.Equal(len(k.signed), 0)
	})

	t.Run("Should say when nothing can be signed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, k := newTokens(w)
		o := w.addOrg("own", org.Active)
		_, err := s.Exchange(t.Context(), holder(o, authz.Admin), o, signing.Write)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		k.stored = []signing.Key{{ID: "p", State: signing.Published}, {ID: "r", State: signing.Retiring}}
		_, err = s.Exchange(t.Context(), holder(o, authz.Admin), o, signing.Write)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		w.fail["Reads.Org"] = fault.ErrUnavailable
		_, err = s.Exchange(t.Context(), holder(o, authz.Admin), o, signing.Write)
		is.True(errors.Is(err, fault.ErrUnavailable))
	})
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	claims := signing.ControlPlaneClaims(time.Time{})

	t.Run("Should read the keys once for all, and again after their life", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, k := newTokens(w)
		is.NoErr(s.Rotate(t.Context(), false))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, _ = s.Token(t.Context(), claims)
				_, _ = s.KeySet(t.Context())
			})
		}
		wg.Wait()
		is.Equal(w.count("List"), 1)

		k.stored = []signing.Key{{ID: "z", State: signing.Active}} // another process rotated
		w.now = w.now.Add(15*time.Second - 1)
		jwt, err := s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(jwt, "a.temporal-system:admin")
		w.now = w.now.Add(1)
		jwt, err = s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(jwt, "z.temporal-system:admin")
		is.Equal(w.count("List"), 2)
	})

	t.Run("Should not remember that there was no key, nor a failure", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, k := newTokens(w)
		_, err := s.Token(t.Context(), claims)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		w.fail["List"] = fault.ErrUnavailable
		_, err = s.Token(t.Context(), claims)
		is.True(errors.Is(err, fault.ErrUnavailable))
		_, err = s.KeySet(t.Context())
		is.True(errors.Is(err, fault.ErrUnavailable))
		delete(w.fail, "List")
		k.stored = []signing.Key{{ID: "z", State: signing.Active}}
		_, err = s.Token(t.Context(), claims)
		is.NoErr(err)
	})

	t.Run("Should go on with the known keys while the database is away, as long as their last token may live", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, _ := newTokens(w)
		is.NoErr(s.Rotate(t.Context(), false))
		_, err := s.Token(t.Context(), claims)
		is.NoErr(err)
		w.fail["List"] = fault.ErrUnavailable
		read := w.now
		for _, away := range []time.Duration{15 * time.Second, time.Minute, signingPolicy.Retire - signing.TokenLife - 1} {
			w.now = read.Add(away)
			_, err := s.Token(t.Context(), claims)
			is.NoErr(err)
			set, err := s.KeySet(t.Context())
			is.NoErr(err)
			is.Equal(string(set), "a")
		}
		is.Equal(w.count("List"), 4) // once a time, not once a caller
		w.now = read.Add(signingPolicy.Retire)
		_, err = s.Token(t.Context(), claims)
		is.True(errors.Is(err, fault.ErrUnavailable))
		delete(w.fail, "List")
		_, err = s.Token(t.Context(), claims)
		is.NoErr(err)
	})

	t.Run("Should let one caller wait for a database that does not answer, and not each in turn", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			k := &silent{keyring: &keyring{world: newWorld(t), stored: []signing.Key{{ID: "a", State: signing.Active}}}}
			s := tokens.New(k, k, k, wall{}, signingPolicy)
			_, err := s.Token(t.Context(), claims)
			is.NoErr(err)
			pass(15 * time.Second)
			k.hangs = true
			start := time.Now()
			for range 10 {
				_, err := s.Token(t.Context(), claims)
				is.NoErr(err)
			}
			is.Equal(time.Since(start), 2*time.Second)
		})
	})

	t.Run("Should use what a rotation of its own changed at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, _ := newTokens(w)
		_, err := s.Token(t.Context(), claims)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		is.NoErr(s.Rotate(t.Context(), false))
		_, err = s.Token(t.Context(), claims)
		is.NoErr(err)
		is.NoErr(s.Rotate(t.Context(), true)) // "b" is published
		set, err := s.KeySet(t.Context())
		is.NoErr(err)
		is.Equal(string(set), "ab")
	})

	t.Run("Should relieve a key before the next one signs, and then retire it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, k := newTokens(w)
		is.NoErr(s.Rotate(t.Context(), false))
		is.NoErr(s.Rotate(t.Context(), false)) // nothing is due
		w.now = w.now.Add(signingPolicy.Rotate)
		is.NoErr(s.Rotate(t.Context(), false))
		jwt, err := s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(jwt[0], byte('a')) // "b" is only published
		w.now = w.now.Add(signingPolicy.Publish)
		is.NoErr(s.Rotate(t.Context(), false))
		last := k.wrote[len(k.wrote)-1]
		is.Equal(len(last), 2)
		is.Equal(last[0].ID+" "+last[0].State.String(), "a retiring") // the database allows one active key at a time
		is.Equal(last[1].ID+" "+last[1].State.String(), "b active")
		jwt, err = s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(jwt[0], byte('b'))
		set, err := s.KeySet(t.Context())
		is.NoErr(err)
		is.Equal(string(set), "ab") // tokens of "a" are about
		w.now = w.now.Add(signingPolicy.Retire)
		is.NoErr(s.Rotate(t.Context(), false))
		set, err = s.KeySet(t.Context())
		is.NoErr(err)
		is.Equal(string(set), "b")
		is.Equal(k.made, 2)
		is.Equal(len(k.wrote[1]), 0)
	})

	t.Run("Should change nothing when it fails", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Change", "Generate"} {
			w := newWorld(t)
			s, k := newTokens(w)
			w.fail[port] = fault.ErrUnavailable
			is.True(errors.Is(s.Rotate(t.Context(), false), fault.ErrUnavailable))
			is.Equal(len(k.stored), 0)
		}
	})

	t.Run("Should end with its caller", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, _ := newTokens(w)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.fail["List"] = context.Canceled
		_, err := s.Token(ctx, claims)
		is.True(errors.Is(err, context.Canceled))
	})
}
