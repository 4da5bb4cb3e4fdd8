package signing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/signing"
)

var (
	t0     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	policy = signing.Policy{Rotate: 24 * time.Hour, Publish: 15 * time.Minute, Retire: time.Hour}
)

func key(name string, s signing.State, at time.Time) signing.Key {
	return signing.Key{ID: name, State: s, ChangedAt: at, Sealed: []byte("sealed")}
}

func TestNext(t *testing.T) {
	t.Parallel()
	day := policy.Rotate

	for name, c := range map[string]struct {
		keys  []signing.Key
		after time.Duration
		force bool
		want  signing.Plan
	}{
		"nothing yet":                            {nil, 0, false, signing.Plan{Create: signing.Active}},
		"nothing yet, forced":                    {nil, 0, true, signing.Plan{Create: signing.Active}},
		"only a retiring key":                    {[]signing.Key{key("a", signing.Retiring, t0)}, 0, false, signing.Plan{Create: signing.Active}},
		"only a published key":                   {[]signing.Key{key("a", signing.Published, t0)}, 0, false, signing.Plan{Activate: "a"}},
		"a young key":                            {[]signing.Key{key("a", signing.Active, t0)}, day - 1, false, signing.Plan{}},
		"a young key, forced":                    {[]signing.Key{key("a", signing.Active, t0)}, 1, true, signing.Plan{Create: signing.Published}},
		"an old key":                             {[]signing.Key{key("a", signing.Active, t0)}, day, false, signing.Plan{Create: signing.Published}},
		"a successor that is young":              {[]signing.Key{key("a", signing.Active, t0), key("b", signing.Published, t0)}, policy.Publish - 1, false, signing.Plan{}},
		"a successor that is young, forced":      {[]signing.Key{key("a", signing.Active, t0), key("b", signing.Published, t0)}, policy.Publish - 1, true, signing.Plan{}},
		"a successor that everyone knows":        {[]signing.Key{key("a", signing.Active, t0), key("b", signing.Published, t0)}, policy.Publish, false, signing.Plan{Activate: "b", Retiring: "a"}},
		"a relieved key that is young":           {[]signing.Key{key("a", signing.Active, t0), key("o", signing.Retiring, t0)}, policy.Retire - 1, false, signing.Plan{}},
		"a relieved key whose tokens are all up": {[]signing.Key{key("a", signing.Active, t0), key("o", signing.Retiring, t0)}, policy.Retire, false, signing.Plan{Retire: []string{"o"}}},
	} {
		t.Run("Should plan for "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got := signing.Next(c.keys, policy, t0.Add(c.after), c.force)
			is.Equal(got, c.want)
			is.Equal(got.Empty(), c.want.Create == signing.State{} && c.want.Activate == "" && c.want.Retire == nil)
		})
	}
}

// deployment is a database of keys whose changes happen one at a time, as
// ports.SigningKeys promises, and what its history showed.
type deployment struct {
	policy signing.Policy
	keys   []signing.Key
	made   int

	published map[string]time.Time // when verifiers could first know the key
	signed    map[string]time.Time // when it last may have signed
	gone      map[string]time.Time // when verifiers could no longer know it
	first     string
}

// apply does what a plan says, as the use case does.
func (d *deployment) apply(p signing.Plan, now time.Time) {
	if p.Create != (signing.State{}) {
		d.made++
		k := signing.Key{ID: fmt.Sprint("k", d.made), Sealed: []byte("s"), CreatedAt: now}.Move(p.Create, now)
		d.keys = append(d.keys, k)
		d.published[k.ID] = now
		if d.first == "" {
			d.first = k.ID
		}
	}
	for i, k := range d.keys {
		switch {
		case k.ID == p.Activate:
			d.keys[i] = k.Move(signing.Active, now)
		case k.ID == p.Retiring:
			d.keys[i] = k.Move(signing.Retiring, now)
			d.signed[k.ID] = now
		case slices.Contains(p.Retire, k.ID):
			d.keys[i] = k.Move(signing.Retired, now)
			d.gone[k.ID] = now
		}
	}
}

// check returns what is wrong.
func (d *deployment) check(now time.Time) error {
	active := 0
	for _, k := range d.keys {
		switch k.State {
		case signing.Active:
			active++
			if known := k.ChangedAt.Sub(d.published[k.ID]); k.ID != d.first && known < d.policy.Publish {
				return fmt.Errorf("%s signs %v after it was published", k.ID, known)
			}
		case signing.Retired:
			if kept := d.gone[k.ID].Sub(d.signed[k.ID]); kept < d.policy.Retire {
				return fmt.Errorf("%s vanished %v after it last signed", k.ID, kept)
			}
			if k.Sealed != nil {
				return fmt.Errorf("%s is retired and kept its private part", k.ID)
			}
		}
	}
	if active != 1 {
		return fmt.Errorf("%d keys are active at %v", active, now)
	}
	return nil
}

func TestRotationProperty(t *testing.T) {
	t.Parallel()

	for seed := range uint64(50) {
		t.Run("Should always have one active key that every verifier knows", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			r := rand.New(rand.NewPCG(seed, 1))
			d := &deployment{
				policy: signing.Policy{
					Rotate:  time.Duration(r.Int64N(int64(48 * time.Hour))),
					Publish: time.Duration(r.Int64N(int64(time.Hour))),
					Retire:  time.Duration(r.Int64N(int64(2 * time.Hour))),
				},
				published: map[string]time.Time{}, signed: map[string]time.Time{}, gone: map[string]time.Time{},
			}
			now := t0
			for range 200 {
				// Some of several processes wake up, at the same moment or much later.
				if r.IntN(3) > 0 {
					now = now.Add(time.Duration(r.Int64N(int64(r.IntN(3)+1) * int64(d.policy.Rotate/4+time.Minute))))
				}
				for range 1 + r.IntN(4) {
					alive := slices.DeleteFunc(slices.Clone(d.keys), func(k signing.Key) bool { return k.State == signing.Retired })
					r.Shuffle(len(alive), func(i, j int) { alive[i], alive[j] = alive[j], alive[i] })
					force := r.IntN(10) == 0
					before := slices.Clone(alive)
					p := signing.Next(alive, d.policy, now, force)
					is.Equal(alive, before) // the plan changed nothing by itself
					d.apply(p, now)
					is.NoErr(d.check(now))
				}
			}
			is.True(d.made > 2) // it did rotate
		})
	}

	t.Run("Should have nothing left to do once the plan was carried out", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, force := range []bool{false, true} {
			d := &deployment{policy: policy, published: map[string]time.Time{}, signed: map[string]time.Time{}, gone: map[string]time.Time{}}
			for now := t0; now.Before(t0.Add(10 * policy.Rotate)); now = now.Add(7 * time.Minute) {
				alive := slices.DeleteFunc(slices.Clone(d.keys), func(k signing.Key) bool { return k.State == signing.Retired })
				d.apply(signing.Next(alive, policy, now, force), now)
				alive = slices.DeleteFunc(slices.Clone(d.keys), func(k signing.Key) bool { return k.State == signing.Retired })
				is.True(signing.Next(alive, policy, now, false).Empty())
			}
			is.True(d.made >= 9)
		}
	})
}

func TestDefaultPolicy(t *testing.T) {
	t.Parallel()

	t.Run("Should keep a key known until its last token has run out", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.True(signing.DefaultPolicy.Retire >= 2*signing.TokenLife)
		is.True(signing.DefaultPolicy.Publish >= 10*time.Minute)
		is.True(signing.DefaultPolicy.Rotate > signing.DefaultPolicy.Publish+signing.DefaultPolicy.Retire)
		is.True(signing.TokenLife <= 10*time.Minute)
	})
}

func TestStates(t *testing.T) {
	t.Parallel()

	t.Run("Should read back what it wrote", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range []signing.State{signing.Published, signing.Active, signing.Retiring, signing.Retired} {
			back, ok := signing.ParseState(s.String())
			is.True(ok)
			is.Equal(back, s)
		}
		_, ok := signing.ParseState("")
		is.True(!ok)
	})

	t.Run("Should erase the private part of a retired key alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k := key("a", signing.Active, t0)
		for _, s := range []signing.State{signing.Published, signing.Active, signing.Retiring, signing.Retired} {
			m := k.Move(s, t0.Add(1))
			is.Equal(m.State, s)
			is.Equal(m.ChangedAt, t0.Add(1))
			is.Equal(m.Sealed == nil, s == signing.Retired)
		}
		is.Equal(k, key("a", signing.Active, t0)) // a copy was moved
	})
}

func TestAccess(t *testing.T) {
	t.Parallel()

	t.Run("Should know read and write and nothing above", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, want := range map[string]signing.Access{"": signing.Write, "write": signing.Write, "read": signing.Read} {
			got, err := signing.ParseAccess(s)
			is.NoErr(err)
			is.Equal(got, want)
		}
		for _, s := range []string{"admin", "worker", "Read", "write ", "read:write", "*"} {
			got, err := signing.ParseAccess(s)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(got, signing.Access{})
		}
	})
}

func TestClaims(t *testing.T) {
	t.Parallel()

	t.Run("Should let a tenant into one namespace for a short time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(signing.TenantClaims("key_1", "org-acme-1", signing.Read, t0), signing.Claims{
			Subject: "key_1", Permission: "org-acme-1:read", IssuedAt: t0, ExpiresAt: t0.Add(5 * time.Minute),
		})
		is.Equal(signing.TenantClaims("key_1", "org-acme-1", signing.Write, t0).Permission, "org-acme-1:write")
	})

	t.Run("Should let the control plane administer", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(signing.ControlPlaneClaims(t0), signing.Claims{
			Subject: "system:control-plane", Permission: "temporal-system:admin", IssuedAt: t0, ExpiresAt: t0.Add(5 * time.Minute),
		})
	})
}
