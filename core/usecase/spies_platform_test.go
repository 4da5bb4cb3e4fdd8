package usecase_test

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

type platform struct {
	*spy
	real ports.Platform
}

func (p platform) Org(ctx context.Context, o id.Org) (org.Org, error) {
	return asked(p.spy, "Platform.Org", func() (org.Org, error) { return p.real.Org(ctx, o) })
}

func (p platform) OrgBySlug(ctx context.Context, slug string) (org.Org, error) {
	return asked(p.spy, "Platform.OrgBySlug", func() (org.Org, error) { return p.real.OrgBySlug(ctx, slug) })
}

func (p platform) Orgs(ctx context.Context, f org.Filter, r page.Request) (page.Page[org.Org], error) {
	return asked(p.spy, "Platform.Orgs", func() (page.Page[org.Org], error) { return p.real.Orgs(ctx, f, r) })
}

func (p platform) ActiveOrgs(ctx context.Context) ([]org.Org, error) {
	return asked(p.spy, "Platform.ActiveOrgs", func() ([]org.Org, error) { return p.real.ActiveOrgs(ctx) })
}

func (p platform) Operation(ctx context.Context, o id.Operation) (operation.Operation, error) {
	return asked(p.spy, "Platform.Operation", func() (operation.Operation, error) { return p.real.Operation(ctx, o) })
}

// credentials can also stand for a store that searches more loosely than it
// should, or that holds what the schema rules out.
type credentials struct {
	*spy
	real  ports.Credentials
	twist func(*apikey.Credential)
}

func (c *credentials) Find(ctx context.Context, candidates []apikey.Versioned) (apikey.Credential, error) {
	found, err := asked(c.spy, "Find", func() (apikey.Credential, error) { return c.real.Find(ctx, candidates) })
	if err == nil && c.twist != nil {
		c.twist(&found)
	}
	return found, err
}

type mailbox struct {
	*spy
	real ports.Outbox
}

func (m mailbox) Claim(ctx context.Context, now time.Time, limit int, lease time.Duration) ([]outbox.Message, error) {
	return asked(m.spy, "Claim", func() ([]outbox.Message, error) { return m.real.Claim(ctx, now, limit, lease) })
}

func (m mailbox) Done(ctx context.Context, i id.Message) error {
	return done(m.spy, "Done", func() error { return m.real.Done(ctx, i) })
}

func (m mailbox) Retry(ctx context.Context, i id.Message, at time.Time, reason string) error {
	return done(m.spy, "Retry", func() error { return m.real.Retry(ctx, i, at, reason) })
}

func (m mailbox) Wait(ctx context.Context, limit time.Duration) error {
	return done(m.spy, "Wait", func() error { return m.real.Wait(ctx, limit) })
}
