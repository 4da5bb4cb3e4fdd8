package org_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
)

var (
	t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	t1 = t0.Add(time.Hour)
)

func TestParseSlug(t *testing.T) {
	t.Parallel()

	for s, rule := range map[string]string{
		"ab":                             "",
		"acme":                           "",
		"acme-2":                         "",
		"a1":                             "",
		"a-b-c-d":                        "",
		strings.Repeat("a", 48):          "",
		"":                               "length",
		"a":                              "length",
		strings.Repeat("a", 49):          "length",
		"1a":                             "format",
		"-ab":                            "format",
		"ab-":                            "format",
		"a--b":                           "format",
		"Acme":                           "format",
		"acme ":                          "format",
		"acme\n":                         "format",
		"ac me":                          "format",
		"ac.me":                          "format",
		"ac_me":                          "format",
		"ac/me":                          "format",
		"ac\x00me":                       "format",
		"acmé":                           "format",
		"аcme":                           "format", // its first letter is Cyrillic
		"org_0000000000e008000000000001": "format", // an id is no slug, so that {org} is never ambiguous
		"system":                         "reserved",
		"bulkhead":                       "reserved",
		"temporal":                       "reserved",
		"temporal-system":                "reserved",
		"admin":                          "reserved",
		"operator":                       "reserved",
		"me":                             "reserved",
	} {
		t.Run("Should judge a slug by rule "+rule, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			slug, err := org.ParseSlug(s)
			if rule == "" {
				is.NoErr(err)
				is.Equal(slug.String(), s)
				return
			}
			is.True(errors.Is(err, fault.ErrInvalid)) // refused
			is.Equal(fault.From(err).Fields[0].Rule, rule)
			is.Equal(fault.From(err).Fields[0].Pointer, "/slug")
			is.Equal(slug, org.Slug{})
		})
	}
}

var namespaceForm = regexp.MustCompile(`^org-[a-z0-9]+(-[a-z0-9]+)*-[0-9a-z]{8}$`)

func TestNamespaceFor(t *testing.T) {
	t.Parallel()

	t.Run("Should show the slug and the end of the id", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		slug, err := org.ParseSlug("acme")
		is.NoErr(err)
		i := id.New[id.OrgKind]()
		is.Equal(org.NamespaceFor(slug, i), "org-acme-"+i.Tail(8))
	})

	t.Run("Should cut a long slug without a hyphen at the cut", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		slug, err := org.ParseSlug(strings.Repeat("a", 23) + "-" + strings.Repeat("b", 20))
		is.NoErr(err)
		i := id.New[id.OrgKind]()
		is.Equal(org.NamespaceFor(slug, i), "org-"+strings.Repeat("a", 23)+"-"+i.Tail(8))
	})

	t.Run("Should differ for two organizations of one slug", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		slug, err := org.ParseSlug("acme")
		is.NoErr(err)
		seen := map[string]bool{}
		for range 1000 {
			seen[org.NamespaceFor(slug, id.New[id.OrgKind]())] = true
		}
		is.Equal(len(seen), 1000)
	})
}

func FuzzSlug(f *testing.F) {
	for _, s := range []string{"acme", "a-b", strings.Repeat("a", 48), strings.Repeat("a", 23) + "-b", "Ü", "a\n"} {
		f.Add(s)
	}
	i := id.New[id.OrgKind]()
	f.Fuzz(func(t *testing.T, s string) {
		slug, err := org.ParseSlug(s)
		if err != nil {
			return
		}
		if slug.String() != s {
			t.Errorf("%q became %q", s, slug)
		}
		if ns := org.NamespaceFor(slug, i); len(ns) > 39 || !namespaceForm.MatchString(ns) || ns == org.SystemNamespace {
			t.Errorf("slug %q gives the namespace %q", s, ns)
		}
	})
}

func TestCheckPool(t *testing.T) {
	t.Parallel()
	t.Run("Should take the form of a slug, also a reserved one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, name := range []string{"default", "gold", "eu-west-1", "a", "system", strings.Repeat("a", 48)} {
			is.NoErr(org.CheckPool("pool", name))
		}
		for _, name := range []string{"", "Gold", "1a", "a--b", "a-", "a b", "a_b", strings.Repeat("a", 49)} {
			err := org.CheckPool("pool", name)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "pool")
		}
	})
	t.Run("Should be asked when an organization is made, and when it is changed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		slug, _ := org.ParseSlug("acme")
		_, err := org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: slug, WorkerPool: "A"}, t0)
		is.Equal(fault.From(err).Fields[0].Pointer, "/worker_pool")
		o, err := org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: slug, WorkerPool: "gold"}, t0)
		is.NoErr(err)
		is.Equal(o.Snapshot().WorkerPool, "gold")
		wrong := ""
		_, err = o.Apply(org.Change{WorkerPool: &wrong}, t0)
		is.Equal(fault.From(err).Fields[0].Pointer, "/worker_pool")
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	slug, _ := org.ParseSlug("acme")

	t.Run("Should begin in provisioning with its namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i := id.New[id.OrgKind]()
		o, err := org.New(org.Spec{ID: i, Slug: slug, Name: "Acme Corporation"}, t0)
		is.NoErr(err)
		is.Equal(o.Snapshot(), org.Snapshot{
			ID: i, Slug: "acme", Name: "Acme Corporation", State: org.Provisioning, WorkerPool: org.DefaultPool,
			Namespace: "org-acme-" + i.Tail(8), LimitsVersion: 1, Version: 1, CreatedAt: t0, UpdatedAt: t0,
		})
		is.True(errors.Is(o.RequireActive(), org.ErrNotActive))
	})

	t.Run("Should be named by its slug without a name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o, err := org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: slug}, t0)
		is.NoErr(err)
		is.Equal(o.Snapshot().Name, "acme")
	})

	t.Run("Should refuse a name that people could not read", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, name := range []string{strings.Repeat("x", 101), "a\x00b", " a"} {
			_, err := org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: slug, Name: name}, t0)
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, "/name")
		}
	})
}

// states are all the states, and one that is none.
var states = []org.State{org.Provisioning, org.Failed, org.Active, org.Suspended, org.Deleting, org.Deleted, {}}

// moves states for each method where it leads from each state. A state that is
// not named refuses it.
var moves = map[string]struct {
	call func(*org.Org) error
	to   map[org.State]org.State
}{
	"Activate": {
		func(o *org.Org) error { _, err := o.Activate(t1); return err },
		map[org.State]org.State{org.Provisioning: org.Active, org.Active: org.Active},
	},
	"Fail": {
		func(o *org.Org) error { return o.Fail("why", t1) },
		map[org.State]org.State{org.Provisioning: org.Failed},
	},
	"Retry": {
		func(o *org.Org) error { return o.Retry(t1) },
		map[org.State]org.State{org.Failed: org.Provisioning},
	},
	"Suspend": {
		func(o *org.Org) error { return o.Suspend("why", t1) },
		map[org.State]org.State{org.Active: org.Suspended}, // not Deleting: a suspension must not end a deletion
	},
	"Resume": {
		func(o *org.Org) error { return o.Resume(t1) },
		map[org.State]org.State{org.Suspended: org.Active},
	},
	"Delete": {
		func(o *org.Org) error { return o.Delete(grace, t1) },
		map[org.State]org.State{
			org.Provisioning: org.Deleting, org.Failed: org.Deleting, org.Active: org.Deleting, org.Suspended: org.Deleting,
		},
	},
	// What follows is the life of a deletion, whose grace the zero snapshot has behind it.
	"EndGrace": {
		func(o *org.Org) error { _, err := o.EndGrace(t1); return err },
		map[org.State]org.State{org.Deleting: org.Deleting},
	},
	"Hasten":        {func(o *org.Org) error { return o.Hasten(t1) }, nil},
	"FailDeletion":  {func(o *org.Org) error { return o.FailDeletion("why", t1) }, map[org.State]org.State{org.Deleting: org.Deleting}},
	"RetryDeletion": {func(o *org.Org) error { return o.RetryDeletion(t1) }, map[org.State]org.State{org.Deleting: org.Deleting}},
	"Bury": {
		func(o *org.Org) error { _, err := o.Bury(t1); return err },
		map[org.State]org.State{org.Deleting: org.Deleted, org.Deleted: org.Deleted},
	},
}

const grace = 48 * time.Hour

func TestStateMachine(t *testing.T) {
	t.Parallel()

	for name, m := range moves {
		for _, from := range states {
			t.Run("Should "+name+" from "+from.String()+" as stated", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				before := org.Snapshot{
					ID: id.New[id.OrgKind](), Slug: "acme", Name: "Acme", State: from, StateReason: "before",
					Namespace: "org-acme-01234567", Version: 7, CreatedAt: t0, UpdatedAt: t0,
				}
				o := org.Restore(before)
				err := m.call(&o)
				want := before
				to, allowed := m.to[from]
				if !allowed {
					is.True(errors.Is(err, org.ErrState))
					is.Equal(o.Snapshot(), before) // refused: nothing changed
					return
				}
				is.NoErr(err)
				if to != from || name == "FailDeletion" || name == "RetryDeletion" {
					want.State, want.Version, want.UpdatedAt, want.StateReason = to, 8, t1, ""
				}
				switch name {
				case "Fail", "Suspend", "FailDeletion":
					want.StateReason = "why"
				case "Activate":
					if to != from {
						want.ActivatedAt = t1
					}
				case "Delete":
					want.DeleteAfter = t1.Add(grace)
				case "Bury":
					if to != from {
						want.Name = "acme"
					}
				}
				is.Equal(o.Snapshot(), want) // the namespace and the rest never change
			})
		}
	}

	t.Run("Should know exactly the stated states", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range states {
			got, ok := org.ParseState(s.String())
			is.Equal(ok, s != org.State{})
			is.Equal(got, s)
		}
		_, ok := org.ParseState("ACTIVE")
		is.True(!ok)
	})

	t.Run("Should let keys work until it is suspended or on its way out", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range states {
			is.Equal(s.KeysWork(), s == org.Active || s == org.Provisioning || s == org.Failed)
		}
	})

	t.Run("Should let work be dispatched when active alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range states {
			o := org.Restore(org.Snapshot{State: s})
			is.Equal(o.RequireActive() == nil, s == org.Active)
			is.Equal(o.RequireStaying() == nil, s != org.Deleting && s != org.Deleted)
		}
	})

	t.Run("Should say that a second activation changed nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := org.Restore(org.Snapshot{State: org.Provisioning})
		changed, err := o.Activate(t1)
		is.NoErr(err)
		is.True(changed)
		changed, err = o.Activate(t1)
		is.NoErr(err)
		is.True(!changed)
	})
}

func TestSystem(t *testing.T) {
	t.Parallel()

	t.Run("Should be active from the start, in its own namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := org.NewSystem(t0)
		is.True(errors.Is(o.RequireActive(), org.ErrReserved)) // and yet no tenant's to work in
		is.Equal(o.ID(), id.SystemOrg)
		is.Equal(o.Namespace(), "bulkhead-system")
		is.Equal(o.State(), org.Active)
		is.Equal(o.Snapshot().Slug, "system")
	})

	t.Run("Should never leave the state active", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for name, m := range moves {
			o := org.NewSystem(t0)
			err := m.call(&o)
			is.Equal(err == nil, name == "Activate") // everything else is refused
			is.Equal(o.Snapshot(), func() org.Snapshot { s := org.NewSystem(t0); return s.Snapshot() }())
			is.Equal(errors.Is(err, org.ErrReserved), slices.Contains([]string{"Suspend", "Delete"}, name))
		}
	})
}
