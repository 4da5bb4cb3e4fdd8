package porttest

import (
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// lastUsed returns when a key's secret and the one before it were last used.
func lastUsed(t testing.TB, b Backend, o id.Org, k apikey.Key) (time.Time, time.Time) {
	t.Helper()
	got, err := b.Store.Reads(o).APIKey(t.Context(), keyID(k))
	must(t, err)
	return got.Snapshot().LastUsedAt, got.Snapshot().Old.LastUsedAt
}

// KeyUses checks ports.KeyUses.
func KeyUses(t *testing.T, open Open) {
	b := open(t)
	one, two := seed(t, b, anOrg()), seed(t, b, anOrg())
	late := moment.Add(time.Hour)
	use := func(k apikey.Key, at time.Time) apikey.Use {
		s := k.Snapshot()
		return apikey.Use{Org: s.OrgID, Key: s.ID, Generation: s.Generation, At: at}
	}

	should(t, "note the uses of several organizations' secrets at once, each where it belongs", func(t *testing.T, is *is.I) {
		a, c, untouched := aKey(one.ID(), id.User{}), aKey(two.ID(), id.User{}), aKey(two.ID(), id.User{})
		add(t, b, one.ID(), a)
		add(t, b, two.ID(), c, untouched)
		old := use(c, late.Add(time.Second))
		old.Generation--
		is.NoErr(b.KeyUses.Record(t.Context(), []apikey.Use{use(a, late), old}))
		now, before := lastUsed(t, b, one.ID(), a)
		is.Equal([]time.Time{now, before}, []time.Time{kept(late), kept(a.Snapshot().Old.LastUsedAt)})
		now, before = lastUsed(t, b, two.ID(), c)
		is.Equal([]time.Time{now, before}, []time.Time{kept(c.Snapshot().LastUsedAt), kept(late.Add(time.Second))})
		now, before = lastUsed(t, b, two.ID(), untouched)
		is.Equal([]time.Time{now, before}, []time.Time{kept(untouched.Snapshot().LastUsedAt), kept(untouched.Snapshot().Old.LastUsedAt)})
	})

	should(t, "never go back, nor mix what is said twice", func(t *testing.T, is *is.I) {
		k := aKey(one.ID(), id.User{})
		add(t, b, one.ID(), k)
		is.NoErr(b.KeyUses.Record(t.Context(), []apikey.Use{use(k, late.Add(-time.Second)), use(k, late), use(k, late.Add(-time.Minute))}))
		is.NoErr(b.KeyUses.Record(t.Context(), []apikey.Use{use(k, moment)}))
		now, _ := lastUsed(t, b, one.ID(), k)
		is.Equal(now, kept(late))
	})

	should(t, "leave out what is gone, and what is another organization's", func(t *testing.T, is *is.I) {
		k := aKey(one.ID(), id.User{})
		add(t, b, one.ID(), k)
		foreign, gone, far := use(k, late), use(k, late), use(k, late)
		foreign.Org, gone.Key, far.Generation = two.ID(), id.New[id.APIKeyKind](), 99
		is.NoErr(b.KeyUses.Record(t.Context(), []apikey.Use{foreign, gone, far}))
		is.NoErr(b.KeyUses.Record(t.Context(), nil))
		now, _ := lastUsed(t, b, one.ID(), k)
		is.Equal(now, kept(k.Snapshot().LastUsedAt))
	})

	should(t, "end without a deadlock, in whatever order many say the same", func(t *testing.T, is *is.I) {
		var uses []apikey.Use
		for range 60 {
			k := aKey(one.ID(), id.User{})
			add(t, b, one.ID(), k)
			uses = append(uses, use(k, late))
		}
		for _, err := range together(8, func(i int) error {
			said := slices.Clone(uses)
			if i%2 == 0 {
				slices.Reverse(said)
			}
			for range 20 {
				for j := range said {
					said[j].At = said[j].At.Add(time.Second)
				}
				if err := b.KeyUses.Record(t.Context(), said); err != nil {
					return err
				}
			}
			return nil
		}) {
			is.NoErr(err)
		}
	})

	should(t, "store another hash of the same secret, and of no other", func(t *testing.T, is *is.I) {
		k := aKey(one.ID(), id.User{})
		add(t, b, one.ID(), k)
		s, fresh, freshOld := k.Snapshot(), aHash(9), aHash(9)
		is.NoErr(b.KeyUses.Rehash(t.Context(), one.ID(), s.ID, aHash(2), aHash(9))) // not what is stored
		is.NoErr(b.KeyUses.Rehash(t.Context(), two.ID(), s.ID, s.Hash, aHash(9)))   // not there
		is.NoErr(b.KeyUses.Rehash(t.Context(), one.ID(), s.ID, s.Hash, fresh))
		is.NoErr(b.KeyUses.Rehash(t.Context(), one.ID(), s.ID, s.Old.Hash, freshOld))
		got, err := b.Store.Reads(one.ID()).APIKey(t.Context(), s.ID)
		is.NoErr(err)
		want := s
		want.Hash, want.Old.Hash = fresh, freshOld
		is.Equal(got.Snapshot(), keptAPIKey(want))
	})
}

// KeyCensus checks ports.KeyCensus.
func KeyCensus(t *testing.T, open Open) {
	b := open(t)
	one, two := seed(t, b, anOrg()), seed(t, b, anOrg())
	now := moment

	should(t, "count the secrets that can still be used, of all organizations", func(t *testing.T, is *is.I) {
		key := func(o id.Org, current, old int16, change func(*apikey.Snapshot)) {
			add(t, b, o, changeKey(aKey(o, id.User{}), func(s *apikey.Snapshot) {
				s.Hash, s.Old.Hash, s.WarnAt = aHash(current), aHash(old), time.Time{}
				change(s)
			}))
		}
		key(one.ID(), 3, 2, func(*apikey.Snapshot) {})
		key(two.ID(), 3, 1, func(s *apikey.Snapshot) { s.Old.ExpiresAt = time.Time{} })
		key(two.ID(), 3, 5, func(s *apikey.Snapshot) { s.Old.ExpiresAt = now }) // its old one has ended
		key(two.ID(), 2, 5, func(s *apikey.Snapshot) {
			s.Old, s.State, s.ExpiresAt = apikey.Previous{}, apikey.Disabled, time.Time{}
		})
		key(two.ID(), 5, 5, func(s *apikey.Snapshot) { s.State = apikey.Revoked })
		key(two.ID(), 5, 5, func(s *apikey.Snapshot) { s.ExpiresAt = now })
		got, err := b.KeyCensus.Peppers(t.Context(), now)
		is.NoErr(err)
		is.Equal(got, map[int16]int64{3: 3, 2: 2, 1: 1})
	})

	should(t, "find the active keys whose warning is due, the longest due first", func(t *testing.T, is *is.I) {
		due := func(o id.Org, change func(*apikey.Snapshot)) id.APIKey {
			k := changeKey(aKey(o, id.User{}), change)
			add(t, b, o, k)
			return keyID(k)
		}
		second := due(one.ID(), func(s *apikey.Snapshot) { s.WarnAt = now })
		first := due(two.ID(), func(s *apikey.Snapshot) { s.WarnAt = now.Add(-time.Second) })
		due(two.ID(), func(s *apikey.Snapshot) { s.WarnAt = now.Add(time.Second) })
		due(two.ID(), func(s *apikey.Snapshot) { s.WarnAt = time.Time{} })
		due(two.ID(), func(s *apikey.Snapshot) { s.WarnAt, s.State = now, apikey.Disabled })
		due(two.ID(), func(s *apikey.Snapshot) { s.WarnAt, s.State = now, apikey.Revoked })
		got, err := b.KeyCensus.DueWarnings(t.Context(), now, 10)
		is.NoErr(err)
		is.Equal(got, []apikey.Ref{{Org: two.ID(), Key: first}, {Org: one.ID(), Key: second}})
		got, err = b.KeyCensus.DueWarnings(t.Context(), now, 1)
		is.NoErr(err)
		is.Equal(len(got), 1)
	})
}
