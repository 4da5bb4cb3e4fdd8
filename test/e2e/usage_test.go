package e2e

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestUsage counts what it asks, and looks for it again: first over the API, and then,
// when the process has ended, for what it had not yet added by itself.
func TestUsage(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := harness.NewStack(t)
	acme, globex := s.NewTenant(t, "acme"), s.NewTenant(t, "globex")
	ctx := t.Context()

	ask := func(c *sdk.Client, n int) {
		t.Helper()
		for range n {
			_, err := c.Whoami(ctx)
			is.NoErr(err)
		}
	}
	ask(acme.Client, 4)
	_, err := acme.Client.ListOrganizations(ctx, sdk.OrganizationFilter{}, sdk.ListOptions{})
	is.True(sdk.IsForbidden(err))
	ask(globex.Client, 2)

	usage := func(c *sdk.Client, org string) sdk.UsageSum {
		t.Helper()
		l, err := c.ListUsage(ctx, org, sdk.UsageFilter{}, sdk.ListOptions{})
		is.NoErr(err)
		if len(l.Items) == 0 {
			return sdk.UsageSum{}
		}
		is.Equal(len(l.Items), 1) // it has one key
		return l.Items[0]
	}
	harness.Eventually(t, "what acme asked is counted", func() bool { return usage(acme.Client, "acme").Requests >= 5 })
	seen := usage(acme.Client, "acme")
	is.Equal(seen.Refused, int64(1))
	is.True(usage(globex.Client, "globex").APIKeyID != seen.APIKeyID)
	_, err = globex.Client.ListUsage(ctx, "acme", sdk.UsageFilter{}, sdk.ListOptions{})
	is.True(sdk.IsNotFound(err))

	total := func() (n int64) {
		t.Helper()
		conn, err := pgx.Connect(ctx, s.Database.AdminURL)
		is.NoErr(err)
		defer func() { _ = conn.Close(ctx) }()
		is.NoErr(conn.QueryRow(ctx, "SELECT sum(requests) FROM usage_hours h JOIN organizations o ON o.id = h.org_id WHERE o.slug = 'acme'").Scan(&n))
		return n
	}
	before := usage(acme.Client, "acme").Requests
	ask(acme.Client, 3)
	s.API.Stop()
	is.True(total() >= before+3)
}
