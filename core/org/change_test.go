package org_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
)

func TestApply(t *testing.T) {
	t.Parallel()
	name, protected, workers := "Acme Corp.", true, "gold"
	slug, _ := org.ParseSlug("acme-2")
	metadata, settings := org.Metadata{"plan": "gold"}, org.Settings{DeletionGraceDays: 14}
	full := org.Change{Name: &name, Slug: &slug, Metadata: &metadata, Settings: &settings, DeletionProtected: &protected, WorkerPool: &workers}

	t.Run("Should make the change once, and say when there is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := org.Restore(org.Snapshot{ID: id.New[id.OrgKind](), Slug: "acme", Name: "Acme", State: org.Active, Version: 7})
		changed, err := o.Apply(full, t1)
		is.NoErr(err)
		is.True(changed)
		s := o.Snapshot()
		is.Equal(s.Name, name)
		is.Equal(s.Slug, "acme-2")
		is.Equal(s.Metadata, metadata)
		is.Equal(s.Settings, settings)
		is.True(s.DeletionProtected)
		is.Equal(s.WorkerPool, "gold")
		is.Equal(s.Version, int64(8))
		is.Equal(s.UpdatedAt, t1)

		changed, err = o.Apply(full, t1.Add(1))
		is.NoErr(err)
		is.True(!changed)
		is.Equal(o.Snapshot(), s)

		metadata["plan"] = "changed behind its back"
		is.Equal(o.Snapshot().Metadata["plan"], "gold")
		metadata["plan"] = "gold"

		none := org.Metadata{}
		_, err = o.Apply(org.Change{Metadata: &none}, t1)
		is.NoErr(err)
		is.Equal(o.Snapshot().Metadata, org.Metadata(nil)) // one form of none
	})

	t.Run("Should change nothing of what is on its way out, nor the system's name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, state := range []org.State{org.Deleting, org.Deleted} {
			o := org.Restore(org.Snapshot{State: state})
			_, err := o.Apply(org.Change{Name: &name}, t1)
			is.True(errors.Is(err, org.ErrState))
		}
		o := org.NewSystem(t0)
		_, err := o.Apply(org.Change{Slug: &slug}, t1)
		is.True(errors.Is(err, org.ErrReserved))
		_, err = o.Apply(org.Change{DeletionProtected: &protected}, t1)
		is.True(errors.Is(err, org.ErrReserved))
		_, err = o.Apply(org.Change{WorkerPool: &workers}, t1)
		is.True(errors.Is(err, org.ErrReserved))
		_, err = o.Apply(org.Change{Settings: &settings}, t1)
		is.NoErr(err)
	})

	t.Run("Should name the rule that a change breaks", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		many := org.Metadata{}
		for i := range 51 {
			many[fmt.Sprint("k", i)] = ""
		}
		for want, c := range map[string]org.Change{
			" required":                                {},
			"/name trim":                               {Name: new(" x")},
			"/metadata max_properties":                 {Metadata: &many},
			"/metadata format":                         {Metadata: &org.Metadata{"Plan": ""}},
			"/metadata/plan max_length":                {Metadata: &org.Metadata{"plan": strings.Repeat("é", 513)}},
			"/metadata/plan characters":                {Metadata: &org.Metadata{"plan": "a\x00"}},
			"/settings/deletion_grace_days range":      {Settings: &org.Settings{DeletionGraceDays: 91}},
			"/settings/audit_retention_days range":     {Settings: &org.Settings{AuditRetentionDays: 29}},
			"/settings/api_key_max_ttl_days range":     {Settings: &org.Settings{APIKeyMaxTTLDays: -1}},
			"/settings/workflow_retention_days range":  {Settings: &org.Settings{WorkflowRetentionDays: 3651}},
			"/settings/api_key_default_ttl_days range": {Settings: &org.Settings{APIKeyMaxTTLDays: 5, APIKeyDefaultTTLDays: 6}},
		} {
			o := org.Restore(org.Snapshot{State: org.Active, Version: 7})
			_, err := o.Apply(c, t1)
			is.True(errors.Is(err, fault.ErrInvalid))
			field := fault.From(err).Fields[0]
			is.Equal(field.Pointer+" "+field.Rule, want)
			is.Equal(o.Snapshot().Version, int64(7))
		}
		o := org.Restore(org.Snapshot{State: org.Active})
		_, err := o.Apply(org.Change{Metadata: &org.Metadata{"a_b.c-1": strings.Repeat("é", 512)}}, t1)
		is.NoErr(err)
	})

	t.Run("Should hold metadata to its bytes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		m := org.Metadata{}
		for i := range 16 {
			m[fmt.Sprint("k", 10+i)] = strings.Repeat("é", 510) + "x" // 1024 bytes with the key
		}
		o := org.Restore(org.Snapshot{State: org.Active})
		_, err := o.Apply(org.Change{Metadata: &m}, t1)
		is.NoErr(err)
		m["k10"] += "x"
		_, err = o.Apply(org.Change{Metadata: &m}, t1)
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(fault.From(err).Fields[0].Pointer, "/metadata")
	})

	t.Run("Should hold at creation, too", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for want, spec := range map[string]org.Spec{
			"/id":                           {ID: id.SystemOrg, Slug: slug},
			"/metadata":                     {ID: id.New[id.OrgKind](), Slug: slug, Metadata: org.Metadata{"A": ""}},
			"/settings/deletion_grace_days": {ID: id.New[id.OrgKind](), Slug: slug, Settings: org.Settings{DeletionGraceDays: 91}},
		} {
			_, err := org.New(spec, t0)
			is.Equal(fault.From(err).Fields[0].Pointer, want)
		}
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()

	t.Run("Should give a week of grace unless it was decided otherwise", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(org.Settings{}.DeletionGrace().Hours(), 7*24.0)
		is.Equal(org.Settings{DeletionGraceDays: 1}.DeletionGrace().Hours(), 24.0)
	})

	t.Run("Should keep executions as long as was decided", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(org.Settings{}.WorkflowRetention().Hours(), 0.0)
		is.Equal(org.Settings{WorkflowRetentionDays: 2}.WorkflowRetention().Hours(), 48.0)
	})

	t.Run("Should need an operator to keep executions for more than 90 days, and nobody to leave it so", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		days := func(n int) org.Settings { return org.Settings{WorkflowRetentionDays: n} }
		is.NoErr(days(90).NeedsOperator(org.Settings{}))
		is.NoErr(days(365).NeedsOperator(days(365)))
		is.NoErr(days(100).NeedsOperator(days(365)))
		is.Equal(fault.From(days(91).NeedsOperator(days(30))).Fields[0].Pointer, "/settings/workflow_retention_days")
		is.True(days(366).NeedsOperator(days(365)) != nil)
	})
}

func TestFilter(t *testing.T) {
	t.Parallel()

	t.Run("Should read every order and no other word", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, want := range map[string][2]bool{"": {false, false}, "created_at": {false, false}, "-created_at": {false, true}, "slug": {true, false}, "-slug": {true, true}} {
			o, err := org.ParseOrder(s)
			is.NoErr(err)
			is.Equal([2]bool{o.BySlug, o.Descending}, want)
		}
		_, err := org.ParseOrder("name")
		is.Equal(fault.From(err).Fields[0].Pointer, "sort")
	})

	t.Run("Should read a word of the metadata", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		k, v, err := org.ParseMetadataFilter("plan=a=b")
		is.NoErr(err)
		is.Equal(k+" "+v, "plan a=b")
		for _, s := range []string{"plan", "=x", "Plan=x"} {
			_, _, err := org.ParseMetadataFilter(s)
			is.Equal(fault.From(err).Fields[0].Pointer, "metadata")
		}
	})

	t.Run("Should have words of its own for each filter", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		bySlug, _ := org.ParseOrder("slug")
		seen := map[string]bool{}
		for _, f := range []org.Filter{
			{},
			{State: org.Active},
			{SlugPrefix: "active"},
			{Order: bySlug},
			{MetadataKey: "a", MetadataValue: "b"},
			{MetadataKey: "a"},
			{MetadataKey: "ab"},
			{SlugPrefix: "a", MetadataKey: "b"},
		} {
			is.True(!seen[f.String()])
			seen[f.String()] = true
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	five := limit.Limit{Max: 5, WarnPercent: 80}
	in := func(s org.State) org.Org {
		return org.Restore(org.Snapshot{ID: id.New[id.OrgKind](), State: s, LimitsVersion: 3, Version: 7})
	}

	t.Run("Should set a limit once, and leave the version of all else alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := in(org.Suspended)
		for i, want := range []bool{true, false} {
			changed, err := o.SetLimit(limit.Users, five, t1.Add(time.Duration(i)))
			is.NoErr(err)
			is.Equal(changed, want)
		}
		s := o.Snapshot()
		is.Equal(s.Limits, limit.Set{limit.Users: five})
		is.Equal([]any{s.LimitsVersion, s.Version, s.UpdatedAt}, []any{int64(4), int64(7), t1})
	})

	t.Run("Should reset a limit once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := in(org.Active)
		_, err := o.SetLimit(limit.Users, five, t1)
		is.NoErr(err)
		for _, want := range []bool{true, false} {
			changed, err := o.ResetLimit(limit.Users, t1)
			is.NoErr(err)
			is.Equal(changed, want)
		}
		is.Equal(o.Snapshot().Limits, nil)
		is.Equal(o.Snapshot().LimitsVersion, int64(5))
	})

	for _, s := range []org.State{org.Deleting, org.Deleted} {
		t.Run("Should refuse to limit what is "+s.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			o := in(s)
			_, err := o.SetLimit(limit.Users, five, t1)
			is.True(errors.Is(err, org.ErrState))
			_, err = o.ResetLimit(limit.Users, t1)
			is.True(errors.Is(err, org.ErrState))
		})
	}
}
