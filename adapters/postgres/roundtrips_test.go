package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestRoundTrips counts how often the database is asked and its answer waited for,
// on the wire. What is asked stands in the cache of statements, as it does in a
// process that has served a request.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	o, other := id.New[id.OrgKind](), id.New[id.OrgKind]()
	admin := connect(t, d.AdminURL)
	fill(t, admin, o.UUID())
	fill(t, admin, other.UUID())
	p := newProxy(t, parseURL(t, d.AppURL).Host)
	p.up(false)
	through := parseURL(t, d.AppURL)
	through.Host = p.address
	b := backend(t, d, openConfig(t, postgres.Config{URL: through.String(), AuthURL: d.AuthURL, MaxConns: 1}))

	entry := func(o id.Org) audit.Entry {
		return audit.Accepted(o, time.Now(), authz.Bootstrap, audit.WorkflowStartRequested, "workflow", "w", nil)
	}
	write := func(fn func(ctx context.Context, tx ports.Tx) error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return b.Store.WriteTx(ctx, o, fn) }
	}
	appends := func(ctx context.Context, tx ports.Tx) error {
		return errors.Join(tx.Audit.Append(ctx, entry(o)), tx.Audit.Append(ctx, entry(o)))
	}
	starts := func(ctx context.Context, tx ports.Tx) error {
		d := workflow.Dispatch{Org: o, Request: uuid.New(), WorkflowID: "w", Type: "t", TaskQueue: "q", Subject: "s", RequestedAt: time.Now()}
		return errors.Join(tx.Dispatches.Request(ctx, d), tx.Audit.Append(ctx, entry(o)))
	}
	messages := func(ctx context.Context, tx ports.Tx) error {
		m, err := outbox.NewProvision(o, id.New[id.OperationKind](), time.Now())
		if err != nil {
			return err
		}
		return errors.Join(tx.Outbox.Append(ctx, m), tx.Audit.Append(ctx, entry(o)))
	}
	asks := func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Orgs.Lock(ctx)
		return errors.Join(err, tx.Audit.Append(ctx, entry(o)))
	}
	refused := errors.New("refused")
	claim := func(ctx context.Context, by id.Org, repeatable bool) (idempotency.Claim, error) {
		c := idempotency.Claim{Request: idempotency.Request{Org: by, Key: id.New[id.APIKeyKind](), Operation: "op"}, Token: uuid.New(), Repeatable: repeatable}
		_, ours, err := b.Idempotency.Claim(ctx, &c, idempotency.Digest{}, idempotency.Terms{Lease: time.Minute, Keep: time.Hour})
		if err == nil && !ours {
			err = errors.New("not ours")
		}
		return c, err
	}
	within := func(by id.Org, fn func(context.Context, ports.Tx) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			c, err := claim(ctx, by, false)
			if err != nil {
				return err
			}
			return b.Store.WriteTx(idempotency.With(ctx, c), o, fn)
		}
	}
	for name, c := range map[string]struct {
		want int
		fail error
		call func(ctx context.Context) error
	}{
		"a read":                            {want: 1, call: func(ctx context.Context) error { _, err := b.Store.Reads(o).Org(ctx); return err }},
		"a transaction that only appends":   {want: 1, call: write(appends)},
		"one that leaves a message as well": {want: 1, call: write(messages)},
		"one that asks something":           {want: 2, call: write(asks)},
		"one that asks nothing":             {want: 1, call: write(func(context.Context, ports.Tx) error { return nil })},
		"one that is refused at once":       {want: 0, fail: refused, call: write(func(context.Context, ports.Tx) error { return refused })},
		"one that is refused after a question": {want: 2, fail: refused, call: write(func(ctx context.Context, tx ports.Tx) error {
			return errors.Join(asks(ctx, tx), refused)
		})},
		"a claim, and its transaction":                     {want: 1 + 2, call: within(o, appends)},
		"a claim, and its transaction elsewhere":           {want: 1 + 2, call: within(other, appends)},
		"a claim, and its transaction that asks":           {want: 1 + 3, call: within(o, asks)},
		"a claim, and its transaction that asks elsewhere": {want: 1 + 3, call: within(other, asks)},
		"what the start of a workflow needs": {want: 4, call: func(ctx context.Context) error {
			c, err := claim(ctx, o, true)
			if err != nil {
				return err
			}
			_, err = b.Store.Reads(o).Org(ctx)
			return errors.Join(err, b.Store.WriteTx(idempotency.With(ctx, c), o, starts), b.Idempotency.Answer(ctx, c, idempotency.Answer{Status: 201}))
		}},
	} {
		t.Run("Should need as few as can be for "+name, func(t *testing.T) {
			is := is.New(t)
			for range 2 { // what is new is prepared first
				is.True(errors.Is(c.call(t.Context()), c.fail))
			}
			before := p.roundTrips()
			is.True(errors.Is(c.call(t.Context()), c.fail))
			is.Equal(p.roundTrips()-before, c.want)
		})
	}
	t.Run("Should commit nothing of what has no trail, though it is sent with the commit", func(t *testing.T) {
		is := is.New(t)
		gone := id.New[id.OrgKind]()
		err := b.Store.WriteTx(t.Context(), gone, func(ctx context.Context, tx ports.Tx) error { return tx.Audit.Append(ctx, entry(gone)) })
		is.Equal(fault.KindOf(err), fault.NotFound)
		_, err = b.Store.Reads(o).Org(t.Context()) // on the same connection
		is.NoErr(err)
	})
}
