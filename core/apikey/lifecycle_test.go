package apikey_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

const day = 24 * time.Hour

// aKey is an active key of a user.
func aKey(t *testing.T, expiresAt time.Time) apikey.Key {
	t.Helper()
	s := newSecret(t)
	k, err := apikey.New(id.New[id.APIKeyKind](), id.New[id.OrgKind](), apikey.Spec{
		UserID: id.New[id.UserKind](), Name: "n", ExpiresAt: expiresAt,
	}, s, peppers(t, 1).Hash(s), t0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rotate(t *testing.T, k *apikey.Key, r apikey.Rotation, now time.Time) error {
	t.Helper()
	s := newSecret(t)
	return k.Rotate(s, peppers(t, 1).Hash(s), r, now)
}

func TestNewRotation(t *testing.T) {
	t.Parallel()
	d := func(d time.Duration) *time.Duration { return &d }
	for _, c := range []struct {
		grace *time.Duration
		seen  bool
		want  apikey.Rotation
		ok    bool
	}{
		{nil, false, apikey.Rotation{Grace: day}, true},
		{nil, true, apikey.Rotation{UntilSeen: true, Endless: true}, true},
		{d(0), false, apikey.Rotation{}, true},
		{d(0), true, apikey.Rotation{}, true}, // it has ended already
		{d(time.Hour), true, apikey.Rotation{Grace: time.Hour, UntilSeen: true}, true},
		{d(7 * day), false, apikey.Rotation{Grace: 7 * day}, true},
		{d(7*day + 1), false, apikey.Rotation{}, false},
		{d(-1), false, apikey.Rotation{}, false},
	} {
		t.Run(fmt.Sprintf("Should read %v, %v", c.grace, c.seen), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			r, err := apikey.NewRotation(c.grace, c.seen)
			is.Equal(err == nil, c.ok)
			is.Equal(r, c.want)
			if err != nil {
				is.Equal(fault.From(err).Fields[0].Pointer, "/grace")
			}
		})
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()

	t.Run("Should keep the old secret for the grace, and no longer", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, time.Time{})
		before := k.Snapshot()
		is.NoErr(rotate(t, &k, apikey.Rotation{Grace: time.Hour}, t0))
		after := k.Snapshot()
		is.Equal(after.Old, apikey.Previous{Hint: before.Hint, LastFour: before.LastFour, Hash: before.Hash, ExpiresAt: t1})
		is.True(after.Hash != before.Hash)
		is.Equal([]any{after.Generation, after.Version, after.UpdatedAt}, []any{int32(2), int64(2), t0})
		is.True(after.Old.Live(t1.Add(-1)))
		is.True(!after.Old.Live(t1))
		is.True(k.Accepts(1, t1.Add(-1)) && k.Accepts(2, t1) && !k.Accepts(1, t1) && !k.Accepts(0, t0) && !k.Accepts(3, t0))
	})

	t.Run("Should have two live secrets at most, and always let all be ended", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, time.Time{})
		is.NoErr(rotate(t, &k, apikey.Rotation{UntilSeen: true, Endless: true}, t0))
		one := k.Snapshot()
		is.True(errors.Is(rotate(t, &k, apikey.Rotation{Grace: time.Hour}, t1), apikey.ErrTwoSecrets))
		is.True(errors.Is(rotate(t, &k, apikey.Rotation{UntilSeen: true, Endless: true}, t1), apikey.ErrTwoSecrets))
		is.Equal(k.Snapshot(), one)
		is.NoErr(rotate(t, &k, apikey.Rotation{}, t1))
		s := k.Snapshot()
		is.True(!s.Old.Live(t1))
		is.Equal(s.Old.Hash, one.Hash)                                 // the oldest is forgotten
		is.NoErr(rotate(t, &k, apikey.Rotation{Grace: time.Hour}, t1)) // and the old one, which has ended, bars nothing
	})

	t.Run("Should end the old secret when the new one is seen, if that was asked for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, time.Time{})
		is.NoErr(rotate(t, &k, apikey.Rotation{UntilSeen: true, Endless: true}, t0))
		is.True(!k.Seen(1, t1)) // the old one itself
		s := k.Snapshot()
		is.True(s.Old.Live(t1.Add(365 * day)))
		is.True(k.Seen(2, t1))
		s = k.Snapshot()
		is.True(!s.Old.Live(t1))
		is.Equal(s.Version, int64(3))
		is.True(!k.Seen(2, t1.Add(day))) // once
		is.NoErr(rotate(t, &k, apikey.Rotation{Grace: day}, t1))
		is.True(!k.Seen(3, t1)) // it was not asked for
	})

	t.Run("Should rotate no key that has ended", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t1)
		is.True(errors.Is(rotate(t, &k, apikey.Rotation{}, t1), apikey.ErrState))
		k.Revoke(t0)
		is.True(errors.Is(rotate(t, &k, apikey.Rotation{}, t0), apikey.ErrState))
	})
}

func TestWarn(t *testing.T) {
	t.Parallel()

	t.Run("Should warn at 30, 7 and 1 days, once each", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		end := t0.Add(90 * day)
		k := aKey(t, end)
		for _, c := range []struct {
			left time.Duration
			want int
		}{{30*day + 1, 0}, {30 * day, 30}, {29 * day, 0}, {7 * day, 7}, {6 * day, 0}, {day, 1}, {time.Hour, 0}, {-day, 0}} {
			is.Equal(k.Warn(end.Add(-c.left)), c.want)
			is.Equal(k.Warn(end.Add(-c.left)), 0)
		}
	})

	t.Run("Should give the most urgent warning alone, after nobody looked for long", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t0.Add(90*day))
		is.Equal(k.Warn(t0.Add(85*day)), 7)
		is.Equal(k.Warn(t0.Add(89*day)), 1)
		k = aKey(t, t0.Add(90*day))
		is.Equal(k.Warn(t0.Add(91*day)), 0) // too late
		s := k.Snapshot()
		is.True(s.WarnAt.IsZero())
	})

	t.Run("Should not warn of what was chosen to be short, and begin anew with a new expiry", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t0.Add(5*day))
		is.Equal(k.Warn(t0), 0)
		is.Equal(k.Warn(t0.Add(4*day)), 1)
		later := t0.Add(100 * day)
		changed, err := k.Apply(apikey.Change{ExpiresAt: &later}, t0.Add(4*day))
		is.NoErr(err)
		is.True(changed)
		is.Equal(k.Warn(later.Add(-30*day)), 30)
		s := k.Snapshot()
		is.Equal(s.Version, int64(2)) // a warning is no change of the key
	})

	t.Run("Should warn of nothing but active keys", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t0.Add(31*day))
		is.NoErr(k.Disable(t0))
		is.Equal(k.Warn(t0.Add(2*day)), 0)
		is.NoErr(k.Enable(t0))
		is.Equal(k.Warn(t0.Add(2*day)), 30)
	})

	t.Run("Should say what expires soon", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t0.Add(31*day))
		is.True(!k.ExpiresSoon(t0))
		is.True(k.ExpiresSoon(t0.Add(day)))
		is.True(!k.ExpiresSoon(t0.Add(31 * day)))
		k.Revoke(t0)
		is.True(!k.ExpiresSoon(t0.Add(day)))
		never := aKey(t, time.Time{})
		is.True(!never.ExpiresSoon(t0))
	})
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy apikey.Policy
		given  time.Time
		chosen bool
		want   time.Time
		ok     bool
	}{
		"nothing asked, nothing chosen":      {apikey.Policy{}, time.Time{}, false, time.Time{}, true},
		"the default":                        {apikey.Policy{Default: day}, time.Time{}, false, t0.Add(day), true},
		"the bound, without a default":       {apikey.Policy{Max: day}, time.Time{}, false, t0.Add(day), true},
		"the bound before the default":       {apikey.Policy{Default: 2 * day, Max: day}, time.Time{}, false, t0.Add(day), true},
		"a choice":                           {apikey.Policy{Default: day}, t0.Add(9 * day), true, t0.Add(9 * day), true},
		"for ever, chosen":                   {apikey.Policy{Default: day}, time.Time{}, true, time.Time{}, true},
		"for ever, beyond the bound":         {apikey.Policy{Max: day}, time.Time{}, true, time.Time{}, false},
		"a choice at the bound":              {apikey.Policy{Max: day}, t0.Add(day), true, t0.Add(day), true},
		"a choice a moment beyond the bound": {apikey.Policy{Max: day}, t0.Add(day + 1), true, time.Time{}, false},
	} {
		t.Run("Should decide: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got, err := c.policy.Expiry(c.given, c.chosen, t0)
			is.Equal(err == nil, c.ok)
			is.Equal(got, c.want)
		})
	}
}

func TestApply(t *testing.T) {
	t.Parallel()

	t.Run("Should change what is named, and count it once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t1)
		name, text, scopes := "x", "y", authz.SetOf(authz.UsersRead)
		list, err := apikey.ParseIPList([]string{"192.0.2.1", "2001:db8::/32"})
		is.NoErr(err)
		metadata, never := apikey.Metadata{"a": "b"}, time.Time{}
		limits := limit.Set{limit.Requests: {Rate: ratelimit.Rate{Count: 60, Period: time.Minute, Burst: 6}}}
		change := apikey.Change{Name: &name, Description: &text, Scopes: &scopes, AllowedIPs: &list, Metadata: &metadata, Limits: &limits, ExpiresAt: &never}
		changed, err := k.Apply(change, t1)
		is.NoErr(err)
		is.True(changed)
		s := k.Snapshot()
		is.Equal([]any{s.Name, s.Description, s.Scopes, s.AllowedIPs, s.Metadata, s.Limits, s.ExpiresAt, s.Version, s.UpdatedAt},
			[]any{"x", "y", scopes, list, metadata, limits, never, int64(2), t1})
		changed, err = k.Apply(change, t1.Add(day))
		is.NoErr(err)
		is.True(!changed)
		is.Equal(k.Snapshot(), s)
	})

	t.Run("Should leave a key alone when a rule is broken, or when it is revoked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t1)
		empty, long, past, none := "", strings.Repeat("x", 501), t0, authz.Set(0)
		before := k.Snapshot()
		for _, c := range []apikey.Change{{Name: &empty}, {Description: &long}, {ExpiresAt: &past}} {
			_, err := k.Apply(c, t0)
			is.True(errors.Is(err, fault.ErrInvalid))
		}
		is.Equal(k.Snapshot(), before)
		own := apikey.Restore(apikey.Snapshot{Name: "n", Scopes: authz.SetOf(authz.UsersRead), State: apikey.Active})
		_, err := own.Apply(apikey.Change{Scopes: &none}, t0)
		is.True(errors.Is(err, apikey.ErrScopesUnset))
		k.Revoke(t0)
		_, err = k.Apply(apikey.Change{}, t0)
		is.True(errors.Is(err, apikey.ErrState))
	})

	t.Run("Should let only what has ended be deleted", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := aKey(t, t1)
		is.True(errors.Is(k.RequireDeletable(t1.Add(-1)), apikey.ErrLive))
		is.NoErr(k.RequireDeletable(t1))
		k.Revoke(t0)
		is.NoErr(k.RequireDeletable(t0))
	})
}

func TestFields(t *testing.T) {
	t.Parallel()

	t.Run("Should read networks and addresses, and refuse what was hardly meant", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		got, err := apikey.ParseIPList([]string{"192.0.2.7", "192.0.2.0/24", "::ffff:192.0.2.7", "2001:db8::1", "0.0.0.0/0"})
		is.NoErr(err)
		is.Equal(got.String(), "192.0.2.7/32 192.0.2.0/24 2001:db8::1/128 0.0.0.0/0")
		for _, bad := range []string{"", "192.0.2", "192.0.2.7/24", "192.0.2.0/33", "fe80::1%eth0", "::ffff:192.0.2.0/120", "example.com"} {
			_, err := apikey.ParseIPList([]string{"192.0.2.1", bad})
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/allowed_ips/1")
		}
		full := slices.Repeat([]string{"192.0.2.7"}, 50)
		_, err = apikey.ParseIPList(full)
		is.NoErr(err)
		_, err = apikey.ParseIPList(append(full, "192.0.2.7"))
		is.True(errors.Is(err, fault.ErrInvalid))
	})

	t.Run("Should bound metadata", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		many := map[string]string{}
		for i := range 33 {
			many[fmt.Sprint(i)] = ""
		}
		for _, bad := range []map[string]string{
			many, {"": "x"}, {strings.Repeat("n", 65): ""}, {"n": strings.Repeat("v", 257)}, {"n": "\x00"}, {"n": "\xff"}, {"n\n": ""},
		} {
			_, err := apikey.NewMetadata(bad)
			is.True(errors.Is(err, fault.ErrInvalid))
		}
		m, err := apikey.NewMetadata(map[string]string{strings.Repeat("n", 64): strings.Repeat("é", 256)})
		is.NoErr(err)
		is.Equal(len(m), 1)
	})

	t.Run("Should hold metadata to its bytes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		m := map[string]string{}
		for i := range 16 {
			m[fmt.Sprint("k", 10+i)] = strings.Repeat("😀", 255) + "x" // 1024 bytes with the name
		}
		_, err := apikey.NewMetadata(m)
		is.NoErr(err)
		m["k"] = "" // one more, within every other bound
		_, err = apikey.NewMetadata(m)
		is.True(errors.Is(err, fault.ErrInvalid))
	})
}
