package porttest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// byTime sorts requests by when they were made.
func byTime(ds []workflow.Dispatch) []workflow.Dispatch {
	slices.SortFunc(ds, func(a, b workflow.Dispatch) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return ds
}

// Dispatches checks the ledger of starts: ports.DispatchWriter, its read, and
// ports.Dispatches.
func Dispatches(t *testing.T, open Open) {
	b := open(t)
	get := func(t *testing.T, b Backend, d workflow.Dispatch) workflow.Dispatch {
		t.Helper()
		got, err := b.Store.Reads(d.Org).Dispatch(t.Context(), d.Request)
		must(t, err)
		return got
	}
	decide := func(t *testing.T, b Backend, o id.Org, ds ...workflow.Dispatch) []uuid.UUID {
		t.Helper()
		return inTx(t, b, o, func(ctx context.Context, tx ports.Tx) ([]uuid.UUID, error) { return tx.Dispatches.Decide(ctx, ds) })
	}
	decided := func(d workflow.Dispatch, as workflow.Outcome, runID string) workflow.Dispatch {
		d.Outcome, d.RunID, d.DecidedAt = as, runID, d.RequestedAt.Add(time.Minute)
		return d
	}
	ask := func(o id.Org) workflow.Dispatch {
		d := aDispatch(o)
		d.RequestedAt = d.RequestedAt.UTC().Truncate(time.Microsecond) // as it comes back
		return d
	}

	should(t, "keep what was asked for, and what has come of it", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		for as, runID := range map[workflow.Outcome]string{workflow.DispatchStarted: "run", workflow.DispatchJoined: "run", workflow.DispatchRefused: ""} {
			d := ask(o)
			add(t, b, o, d)
			is.Equal(get(t, b, d), d)
			is.Equal(decide(t, b, o, decided(d, as, runID)), []uuid.UUID{d.Request})
			is.Equal(get(t, b, d), decided(d, as, runID))
		}
		_, err := b.Store.Reads(o).Dispatch(t.Context(), uuid.New())
		isNotFound(t, err)
	})

	should(t, "keep the run of a request that is made again, and ask again for one that has none", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		started, refused, open := ask(o), ask(o), ask(o)
		add(t, b, o, started, refused, open)
		decide(t, b, o, decided(started, workflow.DispatchStarted, "run"), decided(refused, workflow.DispatchRefused, ""))
		asked := started.RequestedAt
		for _, d := range []*workflow.Dispatch{&started, &refused, &open} {
			d.RequestedAt = asked.Add(time.Hour)
		}
		add(t, b, o, started, refused, open)
		is.Equal(get(t, b, started).RunID, "run")
		is.Equal(get(t, b, started).RequestedAt, asked)
		is.Equal(get(t, b, refused), refused)
		is.Equal(get(t, b, open), open)
	})

	should(t, "let the first decide of several, but a run before a refusal", func(t *testing.T, is *is.I) {
		o := orgID(seed(t, b, anOrg()))
		first, second := ask(o), ask(o)
		add(t, b, o, first, second)
		is.Equal(decide(t, b, o, decided(first, workflow.DispatchStarted, "run")), []uuid.UUID{first.Request})
		got := decide(t, b, o, decided(first, workflow.DispatchRefused, ""), decided(second, workflow.DispatchRefused, ""), decided(ask(o), workflow.DispatchRefused, ""))
		is.Equal(got, []uuid.UUID{second.Request})
		is.Equal(get(t, b, first).RunID, "run")
		is.Equal(len(decide(t, b, o)), 0)
		is.Equal(decide(t, b, o, decided(second, workflow.DispatchJoined, "late")), []uuid.UUID{second.Request})
		is.Equal(get(t, b, second).RunID, "late")
	})

	should(t, "write nothing of a transaction that fails, nor for an organization that does not exist", func(t *testing.T, is *is.I) {
		o, no := orgID(seed(t, b, anOrg())), errors.New("no")
		d := ask(o)
		err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(tx.Dispatches.Request(ctx, d))
			return no
		})
		is.True(errors.Is(err, no))
		_, err = b.Store.Reads(o).Dispatch(t.Context(), d.Request)
		isNotFound(t, err)
		nobody := id.New[id.OrgKind]()
		isNotFound(t, write(t.Context(), b, nobody, ask(nobody)))
	})

	should(t, "list what is undecided, of all organizations", func(t *testing.T, is *is.I) {
		b := open(t)
		old := ask(id.Org{}).RequestedAt.Add(-time.Hour)
		var want []workflow.Dispatch
		for i := range 5 {
			o := orgID(seed(t, b, anOrg()))
			d, done := ask(o), ask(o)
			d.RequestedAt = old.Add(time.Duration(i) * time.Minute)
			done.RequestedAt = old
			add(t, b, o, d, done, ask(o))
			decide(t, b, o, decided(done, workflow.DispatchRefused, ""))
			want = append(want, d)
		}
		var got []workflow.Dispatch
		var after workflow.Dispatch
		for {
			some, err := b.Dispatches.Open(t.Context(), moment, after, 2)
			is.NoErr(err)
			if len(some) == 0 {
				break
			}
			got, after = append(got, some...), some[len(some)-1]
		}
		is.Equal(byTime(got), want)
	})

	should(t, "forget what was decided more than 30 days ago, so many at once", func(t *testing.T, is *is.I) {
		b := open(t)
		o := orgID(seed(t, b, anOrg()))
		now := time.Now() //nolint:forbidigo // the database's own clock decides what is old
		kept, open := ask(o), ask(o)
		kept.Outcome, kept.DecidedAt = workflow.DispatchRefused, now.Add(-29*24*time.Hour)
		old := []workflow.Dispatch{kept}
		add(t, b, o, kept, open)
		for range 3 {
			d := ask(o)
			add(t, b, o, d)
			d.Outcome, d.DecidedAt = workflow.DispatchRefused, now.Add(-31*24*time.Hour)
			old = append(old, d)
		}
		decide(t, b, o, old...)
		for _, want := range []int{2, 1, 0} {
			n, err := b.Dispatches.Erase(t.Context(), 2)
			is.NoErr(err)
			is.Equal(n, want)
		}
		is.Equal(get(t, b, kept).Outcome, workflow.DispatchRefused)
		is.Equal(get(t, b, open).Outcome, workflow.DispatchRequested)
		_, err := b.Store.Reads(o).Dispatch(t.Context(), old[1].Request)
		is.True(fault.IsKind(err, fault.NotFound))
	})
}
