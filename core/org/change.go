package org

import (
	"maps"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// Change is what is to become of an organization; nil leaves as it is.
type Change struct {
	Name              *string
	Slug              *Slug
	Metadata          *Metadata // replaces all of it
	Settings          *Settings // replaces all of them
	AllowList         *AllowList
	DeletionProtected *bool
	WorkerPool        *string
}

// Apply makes the change, unless nothing would be different, which it says. It
// fails with fault.ErrInvalid, and with ErrState for an organization that is on
// its way out.
func (o *Org) Apply(c Change, now time.Time) (changed bool, err error) {
	if err := c.check(); err != nil {
		return false, err
	}
	if err := o.RequireStaying(); err != nil {
		return false, err
	}
	if o.s.ID == id.SystemOrg && (c.Slug != nil || c.DeletionProtected != nil || c.WorkerPool != nil) {
		return false, ErrReserved
	}
	before := o.s
	if c.Name != nil {
		o.s.Name = *c.Name
	}
	if c.Slug != nil {
		o.s.Slug = c.Slug.s
	}
	if c.Metadata != nil {
		o.s.Metadata = c.Metadata.clone()
	}
	if c.Settings != nil {
		kept := o.s.Settings.AllowList
		o.s.Settings = *c.Settings
		o.s.Settings.AllowList = kept
	}
	if c.AllowList != nil {
		o.s.Settings.AllowList = *c.AllowList
	}
	if c.DeletionProtected != nil {
		o.s.DeletionProtected = *c.DeletionProtected
	}
	if c.WorkerPool != nil {
		o.s.WorkerPool = *c.WorkerPool
	}
	if before.Name == o.s.Name && before.Slug == o.s.Slug && maps.Equal(before.Metadata, o.s.Metadata) &&
		before.Settings.equal(o.s.Settings) && before.DeletionProtected == o.s.DeletionProtected &&
		before.WorkerPool == o.s.WorkerPool {
		return false, nil
	}
	o.touch(now)
	return true, nil
}

// SetLimit makes a limit the organization's own, unless it is so already, which it
// says. It fails with ErrState for an organization that is on its way out.
func (o *Org) SetLimit(n limit.Name, l limit.Limit, now time.Time) (changed bool, err error) {
	return o.setLimits(o.s.Limits.With(n, l), now)
}

// ResetLimit makes a limit as it is by default. It fails as SetLimit does.
func (o *Org) ResetLimit(n limit.Name, now time.Time) (changed bool, err error) {
	return o.setLimits(o.s.Limits.Without(n), now)
}

func (o *Org) setLimits(s limit.Set, now time.Time) (changed bool, err error) {
	if o.s.State == Deleting || o.s.State == Deleted {
		return false, ErrState
	}
	if o.s.Limits.Equal(s) {
		return false, nil
	}
	o.s.Limits, o.s.UpdatedAt = s, now
	o.s.LimitsVersion++
	return true, nil
}

func (c Change) check() error {
	if c == (Change{}) {
		return fault.InvalidField("", "required", "must name something to change")
	}
	if c.Name != nil {
		if err := text.Check("/name", *c.Name, maxNameLen); err != nil {
			return err
		}
	}
	if c.Metadata != nil {
		if err := c.Metadata.check(); err != nil {
			return err
		}
	}
	if c.WorkerPool != nil {
		if err := CheckPool("/worker_pool", *c.WorkerPool); err != nil {
			return err
		}
	}
	if c.AllowList != nil {
		if err := c.AllowList.Validate(); err != nil {
			return err
		}
	}
	if c.Settings != nil {
		return c.Settings.check()
	}
	return nil
}
