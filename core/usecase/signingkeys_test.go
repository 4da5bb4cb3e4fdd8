package usecase_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
)

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	claims := signing.ControlPlaneClaims(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))

	// elsewhere rotates in another process, whose clock is ahead, until another
	// key signs than the one that did, and returns it.
	elsewhere := func(t *testing.T, w *world) string {
		t.Helper()
		is := is.New(t)
		ahead := &clock{now: w.clock.Now()}
		s := tokens.New(w.unseen.store, w.unseen.keys, w.unseen.crypto, ahead, signingPolicy)
		for _, d := range []time.Duration{signingPolicy.Rotate, signingPolicy.Publish} {
			ahead.advance(d)
			is.NoErr(s.Rotate(t.Context(), false))
		}
		keys, err := w.unseen.keys.List(t.Context())
		is.NoErr(err)
		for _, k := range keys {
			if k.State == signing.Active {
				return k.ID
			}
		}
		t.Fatal("no key is active")
		return ""
	}

	t.Run("Should read the keys once for all, and again after their life", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
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

		first, second := w.keys.made()[0], elsewhere(t, w)
		w.clock.advance(15*time.Second - time.Microsecond)
		jwt, err := s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(w.said(jwt), saying(first, claims))
		w.clock.advance(time.Microsecond)
		jwt, err = s.Token(t.Context(), claims)
		is.NoErr(err)
		is.True(first != second)
		is.Equal(w.said(jwt), saying(second, claims))
		is.Equal(w.count("List"), 2)
	})

	t.Run("Should not remember that there was no key, nor a failure", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		_, err := s.Token(t.Context(), claims)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		w.breaks("List", fault.ErrUnavailable)
		_, err = s.Token(t.Context(), claims)
		is.True(errors.Is(err, fault.ErrUnavailable))
		_, err = s.KeySet(t.Context())
		is.True(errors.Is(err, fault.ErrUnavailable))
		w.mends("List")
		w.storeKeys(w.newKey(signing.Active))
		_, err = s.Token(t.Context(), claims)
		is.NoErr(err)
	})

	t.Run("Should go on with the known keys while the database is away, as long as their last token may live", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		is.NoErr(s.Rotate(t.Context(), false))
		_, err := s.Token(t.Context(), claims)
		is.NoErr(err)
		w.breaks("List", fault.ErrUnavailable)
		read := w.clock.Now()
		for _, away := range []time.Duration{15 * time.Second, time.Minute, signingPolicy.Retire - signing.TokenLife - time.Microsecond} {
			w.clock.set(read.Add(away))
			_, err := s.Token(t.Context(), claims)
			is.NoErr(err)
			set, err := s.KeySet(t.Context())
			is.NoErr(err)
			is.Equal(published(t, set), w.keys.made())
		}
		is.Equal(w.count("List"), 4) // once a time, not once a caller
		w.clock.set(read.Add(signingPolicy.Retire))
		_, err = s.Token(t.Context(), claims)
		is.True(errors.Is(err, fault.ErrUnavailable))
		w.mends("List")
		_, err = s.Token(t.Context(), claims)
		is.NoErr(err)
	})

	t.Run("Should let one caller wait for a database that does not answer, and not each in turn", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			c := newCrypto(t)
			key, err := c.Generate(signing.Active, time.Now())
			is.NoErr(err)
			k := &knownKeys{keys: []signing.Key{key}}
			s := tokens.New(nil, k, c, wall{}, signingPolicy)
			_, err = s.Token(t.Context(), claims)
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
		s := newServices(w).tokens
		_, err := s.Token(t.Context(), claims)
		is.True(errors.Is(err, signing.ErrNoActiveKey))
		is.NoErr(s.Rotate(t.Context(), false))
		_, err = s.Token(t.Context(), claims)
		is.NoErr(err)
		w.clock.advance(time.Second) // so that the keys have an order
		is.NoErr(s.Rotate(t.Context(), true))
		set, err := s.KeySet(t.Context())
		is.NoErr(err)
		is.Equal(len(w.keys.made()), 2) // the second is published
		is.Equal(published(t, set), w.keys.made())
	})

	t.Run("Should relieve a key before the next one signs, and then retire it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		is.NoErr(s.Rotate(t.Context(), false))
		is.NoErr(s.Rotate(t.Context(), false)) // nothing is due
		w.clock.advance(signingPolicy.Rotate)
		is.NoErr(s.Rotate(t.Context(), false))
		is.Equal(len(w.keys.made()), 2)
		a, b := w.keys.made()[0], w.keys.made()[1]
		jwt, err := s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(w.said(jwt).KeyID, a) // "b" is only published
		w.clock.advance(signingPolicy.Publish)
		is.NoErr(s.Rotate(t.Context(), false))
		last := w.keys.wrote[len(w.keys.wrote)-1]
		is.Equal(len(last), 2)
		is.Equal(last[0].ID+" "+last[0].State.String(), a+" retiring") // the database allows one active key at a time
		is.Equal(last[1].ID+" "+last[1].State.String(), b+" active")
		old := jwt
		jwt, err = s.Token(t.Context(), claims)
		is.NoErr(err)
		is.Equal(w.said(jwt).KeyID, b)
		set, err := s.KeySet(t.Context())
		is.NoErr(err)
		is.Equal(published(t, set), []string{a, b}) // tokens of "a" are about
		is.Equal(verify(t, old, set).KeyID, a)
		w.clock.advance(signingPolicy.Retire)
		is.NoErr(s.Rotate(t.Context(), false))
		set, err = s.KeySet(t.Context())
		is.NoErr(err)
		is.Equal(published(t, set), []string{b})
		is.Equal(w.keys.made(), []string{a, b})
		is.Equal(len(w.keys.wrote[1]), 0)
	})

	t.Run("Should change nothing when it fails", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Change", "Generate"} {
			w := newWorld(t)
			w.breaks(port, fault.ErrUnavailable)
			is.True(errors.Is(newServices(w).tokens.Rotate(t.Context(), false), fault.ErrUnavailable))
			is.Equal(w.rows("signing_keys"), 0)
		}
	})

	t.Run("Should end with its caller", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).tokens
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Token(ctx, claims)
		is.True(errors.Is(err, context.Canceled))
		is.Equal(w.count("List"), 1)
	})
}
