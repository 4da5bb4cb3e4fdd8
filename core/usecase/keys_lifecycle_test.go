package usecase_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/user"
)

const day = 24 * time.Hour

// aKey creates a key of a user with the role, by the real use case.
func (w *world) aKey(s services, o id.Org, role authz.Role, in apikeys.CreateInput) (id.APIKey, apikey.Secret) {
	w.t.Helper()
	in.Name, in.UserID = "n", w.addUser(o, role, user.Active)
	k, secret, err := s.apikeys.Create(w.t.Context(), holder(o, authz.Admin), o, in)
	must(w.t, err)
	return k.Snapshot().ID, secret
}

// stored is what is kept of a key.
func (w *world) stored(o id.Org, k id.APIKey) apikey.Snapshot {
	w.t.Helper()
	key := w.keyOf(o, k)
	return key.Snapshot()
}

func TestAPIKeysChange(t *testing.T) {
	t.Parallel()
	managing := authz.Manager.Permissions() | authz.SetOf(authz.APIKeysUpdate, authz.APIKeysRotate)
	var narrow []authz.Permission
	for _, p := range permissions() {
		if managing.Has(p) {
			narrow = append(narrow, p)
		}
	}

	t.Run("Should change what is named, with a line in the trail, and nothing that has changed since", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		k, _ := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		name := "other"
		got, err := s.apikeys.Update(t.Context(), by, o, k, 1, apikeys.UpdateInput{
			Name: &name, AllowedIPs: &[]string{"192.0.2.0/24"}, Metadata: &map[string]string{"team": "a"}, Scopes: &[]string{"workflows:read"},
		})
		is.NoErr(err)
		is.Equal(got.Snapshot().Version, int64(2))
		is.Equal(w.keyOf(o, k), got)
		trail := w.trail()
		last := trail[len(trail)-1]
		is.Equal(last.Action, audit.APIKeyUpdated.String())
		is.Equal(last.Changes["name"], audit.Change{Before: "n", After: "other"})
		is.Equal(last.Changes["metadata"], audit.Change{After: []any{"team"}}) // what it says there is nobody's business
		is.Equal(len(last.Changes), 4)

		_, err = s.apikeys.Update(t.Context(), by, o, k, 1, apikeys.UpdateInput{Name: &name})
		is.True(errors.Is(err, fault.ErrStale))
		_, err = s.apikeys.Update(t.Context(), by, o, k, 2, apikeys.UpdateInput{Name: &name}) // as it is
		is.NoErr(err)
		is.Equal(len(w.trail()), len(trail))
	})

	t.Run("Should give a user's key all of the role again, and the organization's own never", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		k, _ := w.aKey(s, o, authz.Member, apikeys.CreateInput{Scopes: []string{"users:read"}})
		got, err := s.apikeys.Update(t.Context(), by, o, k, 0, apikeys.UpdateInput{Scopes: &[]string{}})
		is.NoErr(err)
		is.Equal(got.Snapshot().Scopes, authz.Set(0))
		is.Equal(w.keyOf(o, k), got)
		own, _, err := s.apikeys.Create(t.Context(), by, o, apikeys.CreateInput{Name: "own", Scopes: []string{"users:read"}})
		is.NoErr(err)
		_, err = s.apikeys.Update(t.Context(), by, o, own.Snapshot().ID, 0, apikeys.UpdateInput{Scopes: &[]string{}})
		is.True(errors.Is(err, apikey.ErrScopesUnset))
	})

	for name, c := range map[string]struct {
		call func(s services, by authz.Actor, o id.Org, k id.APIKey) error
	}{
		"update": {func(s services, by authz.Actor, o id.Org, k id.APIKey) error {
			_, err := s.apikeys.Update(t.Context(), by, o, k, 0, apikeys.UpdateInput{AllowedIPs: &[]string{"192.0.2.7"}})
			return err
		}},
		"rotate": {func(s services, by authz.Actor, o id.Org, k id.APIKey) error {
			_, _, err := s.apikeys.Rotate(t.Context(), by, o, k, apikey.Rotation{Grace: time.Hour})
			return err
		}},
		"disable": {func(s services, by authz.Actor, o id.Org, k id.APIKey) error {
			_, err := s.apikeys.Disable(t.Context(), by, o, k)
			return err
		}},
	} {
		t.Run("Should let nobody touch a key with more power than theirs: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			o := w.addOrg("own", org.Active)
			strong, _ := w.aKey(s, o, authz.Admin, apikeys.CreateInput{})
			weak, _ := w.aKey(s, o, authz.Manager, apikeys.CreateInput{})
			by := holder(o, authz.Admin, narrow...)
			before := w.contents()
			is.True(errors.Is(c.call(s, by, o, strong), authz.ErrPowerExceeded))
			is.Equal(w.contents(), before)
			is.NoErr(c.call(s, by, o, weak))
		})
	}

	t.Run("Should give a key no power that its changer lacks", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, _ := w.aKey(s, o, authz.Manager, apikeys.CreateInput{Scopes: []string{"users:read"}})
		before := w.contents()
		by := holder(o, authz.Admin, narrow...)
		_, err := s.apikeys.Update(t.Context(), by, o, k, 0, apikeys.UpdateInput{Scopes: &[]string{"users:read", "apikeys:create"}})
		is.True(errors.Is(err, authz.ErrPowerExceeded))
		_, err = s.apikeys.Update(t.Context(), by, o, k, 0, apikeys.UpdateInput{Scopes: &[]string{"users:fly"}})
		is.True(errors.Is(err, apikey.ErrUnknownScope))
		is.Equal(w.contents(), before)
	})

	t.Run("Should neither extend a key beyond the one that does, nor give its secret away", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, _ := w.aKey(s, o, authz.Admin, apikeys.CreateInput{})
		end := w.clock.Now().Add(time.Hour)
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, Key: id.New[id.APIKeyKind](), Role: authz.Admin, ExpiresAt: end})
		before := w.contents()
		_, _, err := s.apikeys.Rotate(t.Context(), by, o, k, apikey.Rotation{}) // it would outlive its own key
		is.True(fault.IsKind(err, fault.Invalid))
		later := end.Add(1000)
		_, err = s.apikeys.Update(t.Context(), by, o, k, 0, apikeys.UpdateInput{ExpiresAt: &later})
		is.True(fault.IsKind(err, fault.Invalid))
		is.Equal(w.contents(), before)
		_, err = s.apikeys.Update(t.Context(), by, o, k, 0, apikeys.UpdateInput{ExpiresAt: &end})
		is.NoErr(err)
		_, _, err = s.apikeys.Rotate(t.Context(), by, o, k, apikey.Rotation{}) // now it does not
		is.NoErr(err)
	})

	t.Run("Should keep to the lifetimes that the organization sets", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		w.changeOrg(o, func(s *org.Snapshot) { s.Settings.APIKeyDefaultTTLDays, s.Settings.APIKeyMaxTTLDays = 30, 90 })
		k, _ := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		is.Equal(w.stored(o, k).ExpiresAt, w.clock.Now().Add(30*day))
		for _, bad := range []time.Time{{}, w.clock.Now().Add(90*day + time.Second)} {
			_, _, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{Name: "n", Scopes: []string{"users:read"}, ExpiresAt: &bad})
			is.Equal(fault.From(err).Fields[0].Pointer, "/expires_at")
			_, err = s.apikeys.Update(t.Context(), holder(o, authz.Admin), o, k, 0, apikeys.UpdateInput{ExpiresAt: &bad})
			is.Equal(fault.From(err).Fields[0].Pointer, "/expires_at")
		}
	})

	t.Run("Should delete what has ended, and keep its trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		k, secret := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		is.True(errors.Is(s.apikeys.Delete(t.Context(), by, o, k, 0), apikey.ErrLive))
		_, err := s.apikeys.Revoke(t.Context(), by, o, k)
		is.NoErr(err)
		is.True(errors.Is(s.apikeys.Delete(t.Context(), by, o, k, 1), fault.ErrStale))
		is.NoErr(s.apikeys.Delete(t.Context(), by, o, k, 2))
		is.Equal(w.rows("api_keys", "api_key_uses"), 0)
		trail := w.trail()
		is.Equal([]string{trail[0].Action, trail[1].Action, trail[2].Action},
			[]string{audit.APIKeyCreated.String(), audit.APIKeyRevoked.String(), audit.APIKeyDeleted.String()})
		_, err = s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
		is.True(errors.Is(err, fault.ErrUnauthenticated))
		is.True(errors.Is(s.apikeys.Delete(t.Context(), by, o, k, 0), fault.ErrNotFound))
	})
}

func TestRotation(t *testing.T) {
	t.Parallel()
	works := func(t *testing.T, s services, secret apikey.Secret) bool {
		t.Helper()
		_, err := s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
		return err == nil
	}

	t.Run("Should keep both secrets for the grace, and end both when the key ends", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		k, old := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		_, fresh, err := s.apikeys.Rotate(t.Context(), by, o, k, apikey.Rotation{Grace: time.Hour})
		is.NoErr(err)
		is.True(works(t, s, old) && works(t, s, fresh))
		w.clock.advance(time.Hour)
		is.True(!works(t, s, old) && works(t, s, fresh))

		_, third, err := s.apikeys.Rotate(t.Context(), by, o, k, apikey.Rotation{Grace: time.Hour})
		is.NoErr(err)
		is.True(works(t, s, fresh) && works(t, s, third))
		_, err = s.apikeys.Revoke(t.Context(), by, o, k)
		is.NoErr(err)
		is.True(!works(t, s, fresh) && !works(t, s, third))
		everything := strings.Join(w.contents(), "")
		for _, secret := range []apikey.Secret{old, fresh, third} {
			is.True(!strings.Contains(everything, secret.Reveal()[12:30]))
		}
	})

	t.Run("Should end the old secret once the new one was used, and say so in the trail", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, old := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		_, fresh, err := s.apikeys.Rotate(t.Context(), holder(o, authz.Admin), o, k, apikey.Rotation{UntilSeen: true, Endless: true})
		is.NoErr(err)
		w.clock.advance(400 * day)
		is.True(works(t, s, old)) // nobody has used the new one
		is.NoErr(s.auth.Flush(t.Context()))
		is.True(works(t, s, old))
		is.True(works(t, s, fresh))
		w.breaks("Commit", fault.ErrUnavailable) // a database that is away for a moment
		is.True(s.auth.Flush(t.Context()) != nil)
		is.True(works(t, s, old))
		w.mends("Commit")
		is.NoErr(s.auth.Flush(t.Context())) // it is not forgotten
		is.True(!works(t, s, old) && works(t, s, fresh))
		is.NoErr(s.auth.Flush(t.Context()))
		trail := w.trail()
		last := trail[len(trail)-1]
		is.Equal(last.Action, audit.APIKeyOldSecretEnded.String())
		is.Equal(last.Actor, whoIs(authz.KeyKeeper))
		is.Equal(len(trail), 3) // created, rotated, ended
		shown := w.stored(o, k)
		is.True(!shown.LastUsedAt.IsZero() && !shown.Old.LastUsedAt.IsZero())
	})

	t.Run("Should write the first use of a new secret without waiting for its turn", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, _ := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		_, fresh, err := s.apikeys.Rotate(t.Context(), holder(o, authz.Admin), o, k, apikey.Rotation{UntilSeen: true, Endless: true})
		is.NoErr(err)
		ended := w.watch("Record") // comes after the end of the old secret
		begun := time.Now()
		go s.auth.Run(t.Context())
		is.True(works(t, s, fresh))
		select {
		case <-ended:
			is.True(time.Since(begun) < 1500*time.Millisecond) // a flush comes every two seconds
		case <-time.After(20 * time.Second): //nolint:forbidigo // only a test that fails waits for it
			t.Fatal("nothing was written")
		}
		is.True(!w.stored(o, k).Old.Live(w.clock.Now()))
	})
}

func TestUses(t *testing.T) {
	t.Parallel()

	t.Run("Should note when a key was last used, and neither lose nor repeat it when the database is away", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		k, secret := w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		w.forget()
		for range 100 {
			w.clock.advance(time.Second)
			_, err := s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
			is.NoErr(err)
		}
		is.Equal(w.count("Record"), 0) // no request writes
		w.breaks("Record", fault.ErrUnavailable)
		is.True(s.auth.Flush(t.Context()) != nil)
		w.mends("Record")
		is.NoErr(s.auth.Flush(t.Context()))
		is.Equal(w.stored(o, k).LastUsedAt, w.clock.Now())
		is.Equal(w.stored(o, k).Version, int64(1)) // being used is no change
		is.Equal(w.count("Record"), 2)
	})

	t.Run("Should store a key under the current pepper when it is first used, off the request", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		secret, err := apikey.NewSecret(random)
		is.NoErr(err)
		k := id.New[id.APIKeyKind]()
		w.addKey(apikey.Snapshot{
			ID: k, OrgID: o, Name: "n", Scopes: authz.SetOf(authz.UsersRead), State: apikey.Active, Version: 1, Generation: 1,
			Hash: peppers(t).Candidates(secret)[1],
		})
		count := func() map[int16]int64 {
			n, err := s.keywatch.Peppers(t.Context())
			is.NoErr(err)
			return n
		}
		is.Equal(count(), map[int16]int64{1: 1})
		_, err = s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
		is.NoErr(err)
		is.Equal(count(), map[int16]int64{1: 1})
		is.NoErr(s.auth.Flush(t.Context()))
		is.Equal(count(), map[int16]int64{2: 1}) // the old pepper can go
		is.Equal(w.stored(o, k).Hash, peppers(t).Hash(secret))
		_, err = s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
		is.NoErr(err)
		w.forget()
		is.NoErr(s.auth.Flush(t.Context()))
		is.Equal(w.count("Rehash"), 0)
	})
}
