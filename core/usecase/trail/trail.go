// Package trail shows, verifies and exports the audit trails.
package trail

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// batch is how many entries are in memory at a time.
const batch = 500

// Service shows, verifies and exports the trails.
type Service struct{ trail ports.Trail }

// New returns the service.
func New(t ports.Trail) *Service { return &Service{trail: t} }

// Get shows an entry.
func (s *Service) Get(ctx context.Context, by authz.Actor, o id.Org, e id.Event) (audit.Record, error) {
	if err := by.Require(authz.AuditRead, o); err != nil {
		return audit.Record{}, err
	}
	return s.trail.Event(ctx, o, e)
}

// List lists the entries that the filter chooses, the newest first. It fails with
// fault.ErrInvalid for an action or a type of resource that no entry has.
func (s *Service) List(ctx context.Context, by authz.Actor, o id.Org, f audit.Filter, r page.Request) (page.Page[audit.Record], error) {
	if err := by.Require(authz.AuditRead, o); err != nil {
		return page.Page[audit.Record]{}, err
	}
	if err := f.Validate(); err != nil {
		return page.Page[audit.Record]{}, err
	}
	return s.trail.Events(ctx, o, f, r)
}

// ListAll lists those of all organizations, and fails as List does. For operators.
func (s *Service) ListAll(ctx context.Context, by authz.Actor, f audit.Filter, r page.Request) (page.Page[audit.Record], error) {
	if err := by.RequirePlatform(authz.AuditList); err != nil {
		return page.Page[audit.Record]{}, err
	}
	if err := f.Validate(); err != nil {
		return page.Page[audit.Record]{}, err
	}
	return s.trail.AllEvents(ctx, f, r)
}

// Verification is what was found of a chain.
type Verification struct {
	From     int64 // the first entry that is kept
	Checked  int64 // how many were found good
	FirstBad int64 // 0: all are
	Head     audit.Anchor
}

// Verify computes a chain again, from the first entry that is kept to the last.
func (s *Service) Verify(ctx context.Context, by authz.Actor, o id.Org) (Verification, error) {
	if err := by.Require(authz.AuditRead, o); err != nil {
		return Verification{}, err
	}
	for {
		c, err := s.trail.Chain(ctx, o)
		if err != nil {
			return Verification{}, err
		}
		v := audit.NewVerifier(c.Start)
		if err := s.walk(ctx, o, c.Start.Seq, c.Head.Seq, func(r audit.Record) (bool, error) { return v.Add(r), nil }); err != nil {
			return Verification{}, err
		}
		v.End(c.Head)
		now, err := s.trail.Chain(ctx, o)
		if err != nil {
			return Verification{}, err
		}
		if now.Start != c.Start {
			continue // entries were purged meanwhile: their absence is no fault
		}
		found := Verification{From: c.Start.Seq + 1, Checked: v.Checked(), FirstBad: v.FirstBad(), Head: c.Head}
		if found.FirstBad == 0 && now.Last > now.Head.Seq {
			found.FirstBad = now.Head.Seq + 1 // an entry that the chain does not know
		}
		stray, err := s.trail.Links(ctx, o, 0, c.Start.Seq, 1)
		if err != nil {
			return Verification{}, err
		}
		if len(stray) > 0 {
			found.FirstBad = stray[0].Seq // one that was purged, and came back
		}
		return found, nil
	}
}

// walk gives the entries after one number up to another to fn, a batch at a time,
// until fn has enough.
func (s *Service) walk(ctx context.Context, o id.Org, after, last int64, fn func(audit.Record) (bool, error)) error {
	for after < last {
		links, err := s.trail.Links(ctx, o, after, last, batch)
		if err != nil {
			return err
		}
		for _, l := range links {
			if more, err := fn(l); err != nil || !more {
				return err
			}
			after = l.Seq
		}
		if len(links) < batch {
			return nil
		}
	}
	return nil
}

// Sink takes an export: the place that the first entry follows, the entries in
// their order, and the last of them with the head of the chain.
type Sink interface {
	Start(o id.Org, after audit.Anchor) error
	Event(r audit.Record) error
	End(count int64, last, head audit.Anchor) error
}

// Export gives the entries of a time, whose bounds may be zero, to the sink. It
// takes a stretch of the chain without a gap, so that what is exported can be
// verified by itself. It fails with fault.ErrInvalid for a time that ends before
// it begins.
func (s *Service) Export(ctx context.Context, by authz.Actor, o id.Org, from, to time.Time, out Sink) error {
	if err := by.Require(authz.AuditExport, o); err != nil {
		return err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return fault.InvalidField("to", "range", "must be later than from")
	}
	c, err := s.trail.Chain(ctx, o)
	if err != nil {
		return err
	}
	first, last, err := s.trail.Span(ctx, o, from, to)
	if err != nil {
		return err
	}
	at, err := s.before(ctx, o, c, first)
	if err != nil {
		return err
	}
	if err := out.Start(o, at); err != nil {
		return err
	}
	var count int64
	err = s.walk(ctx, o, at.Seq, min(last, c.Head.Seq), func(r audit.Record) (bool, error) {
		count++
		at = audit.Anchor{Seq: r.Seq, Hash: r.Hash}
		return true, out.Event(r)
	})
	if err != nil {
		return err
	}
	return out.End(count, at, c.Head)
}

// before returns the place that an entry follows; the head's when there is no
// entry.
func (s *Service) before(ctx context.Context, o id.Org, c audit.Chain, seq int64) (audit.Anchor, error) {
	switch {
	case seq == 0:
		return c.Head, nil
	case seq <= c.Start.Seq+1:
		return c.Start, nil
	}
	links, err := s.trail.Links(ctx, o, seq-2, seq-1, 1)
	if err != nil || len(links) == 0 { // none: it was purged or removed, and verification says which
		return c.Start, err
	}
	return audit.Anchor{Seq: links[0].Seq, Hash: links[0].Hash}, nil
}
