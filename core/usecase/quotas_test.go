package usecase_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// setQuota sets a quota of an organization.
func (w *world) setQuota(o id.Org, n limit.Name, l limit.Limit) {
	w.t.Helper()
	w.changeOrg(o, func(s *org.Snapshot) { s.Limits = s.Limits.With(n, l); s.LimitsVersion++ })
}

// counts is what belongs to an organization.
func (w *world) counts(o id.Org) org.Counts {
	w.t.Helper()
	return stored(w.t, w.unseen.store.Reads(o).OrgCounts)
}

// adding is a user to be added, another one for each number.
func adding(n int) users.AddInput {
	return users.AddInput{Email: fmt.Sprintf("u%d@example.com", n), Role: "viewer"}
}

func TestQuotas(t *testing.T) {
	t.Parallel()

	t.Run("Should hold a race of creators to the quota, exactly", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.addUser(o, authz.Admin, user.Active)
		w.addUser(o, authz.Viewer, user.Removed)
		w.setQuota(o, limit.Users, limit.Limit{Max: 7})
		w.setQuota(o, limit.APIKeys, limit.Limit{Max: 5})
		people := users.New(w.unseen.store, w.trails, newServices(w).limits, limit.Standard{}, w.clock)
		keys := apikeys.New(w.unseen.store, newServices(w).limits, limit.Standard{}, w.clock, peppers(t), random)
		by := holder(o, authz.Admin)
		const creators = 16
		added, made := make([]error, creators), make([]error, creators)
		start := make(chan struct{})
		var all sync.WaitGroup
		for n := range creators {
			all.Go(func() {
				<-start
				if n%4 == 0 {
					var results []users.BulkResult
					results, _, added[n] = people.Bulk(t.Context(), by, o, []users.BulkItem{{Op: users.BulkAdd, Add: adding(n)}}, false)
					added[n] = errors.Join(added[n], results[0].Err)
					return
				}
				_, added[n] = people.Add(t.Context(), by, o, adding(n))
			})
			all.Go(func() {
				<-start
				_, _, made[n] = keys.Create(t.Context(), by, o, apikeys.CreateInput{Name: "k", Scopes: []string{"users:read"}})
			})
		}
		close(start)
		all.Wait()
		is.Equal(w.counts(o), org.Counts{Members: 7, APIKeys: 5})
		for what, c := range map[string]struct {
			errs []error
			room int
		}{"users": {added, 6}, "keys": {made, 5}} {
			succeeded := 0
			for _, err := range c.errs {
				if err == nil {
					succeeded++
				} else if !errors.Is(err, limit.ErrExceeded) {
					t.Errorf("%s: %v", what, err)
				}
			}
			is.Equal(succeeded, c.room)
		}
	})

	t.Run("Should add as many as there is room for, in their order, those who take the place of others too", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).users
		o := w.addOrg("own", org.Active)
		w.addUser(o, authz.Admin, user.Active)
		leaves := w.addUser(o, authz.Viewer, user.Active)
		taken := w.snapshot(o, leaves).Email
		here := w.addUser(o, authz.Viewer, user.Active)
		w.setQuota(o, limit.Users, limit.Limit{Max: 4})
		add := func(in users.AddInput) users.BulkItem { return users.BulkItem{Op: users.BulkAdd, Add: in} }
		items := []users.BulkItem{
			add(adding(1)), add(users.AddInput{Email: w.snapshot(o, here).Email, Role: "viewer"}), add(adding(2)), add(adding(3)),
			{Op: users.BulkRemove, User: leaves},
		}
		results, done, err := s.Bulk(t.Context(), holder(o, authz.Admin), o, items, true)
		is.NoErr(err)
		is.True(!done) // all or nothing
		is.Equal(w.counts(o).Members, 3)
		is.True(errors.Is(results[3].Err, limit.ErrExceeded))

		results, done, err = s.Bulk(t.Context(), holder(o, authz.Admin), o, items, false)
		is.NoErr(err)
		is.True(done)
		is.NoErr(results[0].Err)
		is.Equal(results[1].Err, error(user.ErrEmailTaken)) // whose place the next one takes
		is.NoErr(results[2].Err)
		is.True(errors.Is(results[3].Err, limit.ErrExceeded))
		is.Equal(fault.From(results[3].Err).Fields[0].Detail, "allows 4, and 4 are used")
		is.NoErr(results[4].Err)
		is.Equal(w.counts(o).Members, 4)
		_, err = s.Add(t.Context(), holder(o, authz.Admin), o, users.AddInput{Email: taken, Role: "viewer"})
		is.True(errors.Is(err, limit.ErrExceeded))
	})

	t.Run("Should leave nothing behind when it refuses, and refuse nothing in a dry run", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		u := w.addUser(o, authz.Viewer, user.Active)
		by := holder(o, authz.Admin)
		both := func() error {
			_, err := s.users.Add(t.Context(), by, o, adding(1))
			_, _, failed := s.apikeys.Create(t.Context(), by, o, apikeys.CreateInput{Name: "k", UserID: u})
			is.Equal(errors.Is(err, limit.ErrExceeded), errors.Is(failed, limit.ErrExceeded))
			return errors.Join(err, failed)
		}
		for _, n := range []limit.Name{limit.Users, limit.APIKeys} {
			w.setQuota(o, n, limit.Limit{Max: 0})
		}
		before := w.contents()
		is.True(errors.Is(both(), limit.ErrExceeded))
		is.Equal(w.contents(), before)
		for _, n := range []limit.Name{limit.Users, limit.APIKeys} {
			w.setQuota(o, n, limit.Limit{Max: 0, DryRun: true})
		}
		is.NoErr(both())
	})

	t.Run("Should take a deployment's own quota where none was set", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := users.New(w.store, w.trails, newServices(w).limits, limit.NewStandard(limit.Set{limit.Users: {Max: 0}}, ratelimit.Rate{}), w.clock)
		_, err := s.Add(t.Context(), holder(o, authz.Admin), o, adding(1))
		is.True(errors.Is(err, limit.ErrExceeded))
	})
}

func TestWorkflowQuotas(t *testing.T) {
	t.Parallel()
	start := workflow.Start{Type: "Order", TaskQueue: "orders"}

	t.Run("Should count what runs once a second, and what was let through since", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).workflows
		o, other := w.addOrg("own", org.Active), w.addOrg("other", org.Active)
		by := holder(o, authz.Admin)
		w.setQuota(o, limit.RunningWorkflows, limit.Limit{Max: 10})
		w.temporal.running = 8
		counted := "Count " + w.namespaceOf(o)
		for range 2 {
			_, err := s.Start(t.Context(), by, o, start)
			is.NoErr(err)
		}
		_, err := s.Start(t.Context(), by, o, start)
		is.True(errors.Is(err, limit.ErrExceeded))
		is.Equal(fault.From(err).Fields[0].Detail, "allows 10, and 10 are used")
		is.Equal(w.count(counted), 1)
		_, err = s.Start(t.Context(), holder(other, authz.Admin), other, start) // whose quota is its own
		is.NoErr(err)

		w.clock.advance(time.Second)
		w.temporal.running = 9
		_, err = s.Start(t.Context(), by, o, start)
		is.NoErr(err)
		is.Equal(w.count(counted), 2)
		_, err = s.Start(t.Context(), by, o, start)
		is.True(errors.Is(err, limit.ErrExceeded))
		is.Equal(len(w.temporal.starts), 4)
	})

	t.Run("Should let no race through the count that it shares", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		w.setQuota(o, limit.RunningWorkflows, limit.Limit{Max: 5})
		s := workflows.New(w.unseen.store, &starts{}, nil, newServices(w).dispatches, newServices(w).limits, limit.Standard{}, w.clock)
		started := make([]error, 16)
		var all sync.WaitGroup
		for n := range started {
			all.Go(func() { _, started[n] = s.Start(t.Context(), by, o, start) })
		}
		all.Wait()
		good := 0
		for _, err := range started {
			if err == nil {
				good++
			} else {
				is.True(errors.Is(err, limit.ErrExceeded))
			}
		}
		is.Equal(good, 5)
	})

	t.Run("Should start nothing while nobody can say what runs, and ask nobody in a dry run", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).workflows
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		w.breaks("Count "+w.namespaceOf(o), fault.ErrUnavailable)
		before := w.contents()
		_, err := s.Start(t.Context(), by, o, start)
		is.True(errors.Is(err, fault.ErrUnavailable))
		is.Equal(w.contents(), before)
		w.setQuota(o, limit.RunningWorkflows, limit.Limit{Max: 0, DryRun: true})
		_, err = s.Start(t.Context(), by, o, start)
		is.NoErr(err)
	})

	t.Run("Should refuse input that is too large, of a start, a signal and an update", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w).workflows
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Admin)
		w.setQuota(o, limit.PayloadBytes, limit.Limit{Max: 10})
		fits, large := []json.RawMessage{json.RawMessage(`"12345"`), json.RawMessage(`123`)}, []json.RawMessage{json.RawMessage(`"12345"`), json.RawMessage(`1234`)}
		try := func(input []json.RawMessage) []error {
			in := start
			in.Input = input
			_, err := s.Start(t.Context(), by, o, in)
			said, at := workflow.Message{Name: "m", Input: input}, workflow.Target{ID: "w"}
			_, updating := s.Update(t.Context(), by, o, at, "u", said)
			in = start
			in.Input, in.Signal = input[:1], &workflow.Message{Name: "s", Input: input[1:]} // which count together
			_, both := s.Start(t.Context(), by, o, in)
			_, batch := s.StartBatch(t.Context(), by, o, workflow.BatchStart{Kind: workflow.BatchSignal, Query: allThatRuns, Signal: &said})
			return []error{err, s.Signal(t.Context(), by, o, at, said), updating, both, batch}
		}
		where := []string{"/input", "/input", "/input", "/input /signal/input", "/signal/input"}
		for i, err := range try(large) {
			is.True(errors.Is(err, limit.ErrPayloadTooLarge))
			is.Equal(fault.KindOf(err), fault.Invalid) // to wait does not help
			var at []string
			for _, f := range fault.From(err).Fields {
				at = append(at, f.Pointer)
				is.Equal(f.Rule, "max_size") // as it is called where nobody may have so much
				is.Equal(f.Detail, "all arguments must have at most 10 bytes together, not 11")
			}
			is.Equal(strings.Join(at, " "), where[i])
		}
		is.Equal(len(w.temporal.starts), 0)
		for _, err := range try(fits) {
			is.NoErr(err)
		}
	})
}

// starts starts everything, and counts nothing as running yet: visibility lags.
type starts struct{ ports.Dispatcher }

func (*starts) Start(_ context.Context, _ string, _ authz.Actor, in workflow.Start) (workflow.Execution, error) {
	return workflow.Execution{ID: in.ID}, nil
}

func (*starts) Count(context.Context, string, string, bool) (workflow.Count, error) {
	return workflow.Count{}, nil
}
