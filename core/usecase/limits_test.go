package usecase_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

var errBlind = errors.New("the buckets are away")

// perMinute is a rate whose burst is all that it lets through.
func perMinute(count int64) limit.Limit {
	return limit.Limit{Rate: ratelimit.Rate{Count: count, Period: time.Minute, Burst: count}}
}

// hold sets a limit of an organization, unseen.
func (w *world) hold(o id.Org, n limit.Name, l limit.Limit) {
	w.t.Helper()
	w.changeOrg(o, func(s *org.Snapshot) {
		s.Limits = s.Limits.With(n, l)
		s.LimitsVersion++
	})
}

func TestTake(t *testing.T) {
	t.Parallel()
	take := func(t *testing.T, s services, h limit.Holder, cost int64) (*limit.Check, error) {
		t.Helper()
		var c limit.Check
		err := s.limits.Take(t.Context(), limit.Requests, h, cost, &c)
		return &c, err
	}

	t.Run("Should hold an organization and its key to both of their limits, and take nothing of either when one refuses", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		h := limit.Holder{
			Org: id.New[id.OrgKind](), OrgLimits: limit.Set{limit.Requests: perMinute(3)},
			Key: id.New[id.APIKeyKind](), KeyLimits: limit.Set{limit.Requests: perMinute(2)},
		}
		for range 2 {
			_, err := take(t, s, h, 1)
			is.NoErr(err)
		}
		c, err := take(t, s, h, 1)
		is.True(errors.Is(err, limit.ErrRateExceeded))
		is.Equal(fault.From(err).RetryAfter, 30*time.Second)
		refused, ok := errors.AsType[*limit.RefusedError](err)
		is.True(ok)
		is.Equal(refused.Policies(), []string{"api_key"})
		is.Equal(c.At(0).Decision.Remaining, int64(1)) // of the organization: nothing was taken
		is.Equal(w.meter.limited, []string{"requests api_key false"})

		other := h
		other.Key = id.New[id.APIKeyKind]()
		_, err = take(t, s, other, 1) // another key has its own, and shares the organization's
		is.NoErr(err)
		_, err = take(t, s, other, 1)
		refused, _ = errors.AsType[*limit.RefusedError](err)
		is.Equal(refused.Policies(), []string{"organization"})
		w.buckets.pass(30 * time.Second)
		_, err = take(t, s, h, 1)
		is.NoErr(err)
	})

	t.Run("Should count what a dry run would refuse, and refuse nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		dry := perMinute(1)
		dry.DryRun = true
		h := limit.Holder{Org: id.New[id.OrgKind](), OrgLimits: limit.Set{limit.Requests: dry}}
		for range 3 {
			_, err := take(t, s, h, 1)
			is.NoErr(err)
		}
		is.Equal(w.meter.limited, []string{"requests organization true", "requests organization true"})
	})

	t.Run("Should let through at once what costs more than the burst, for all of it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := newServices(newWorld(t))
		h := limit.Holder{Org: id.New[id.OrgKind](), OrgLimits: limit.Set{limit.Requests: perMinute(3)}}
		c, err := take(t, s, h, 50)
		is.NoErr(err)
		is.Equal(c.At(0).Decision.Remaining, int64(0))
		_, err = take(t, s, h, 50)
		is.Equal(fault.From(err).RetryAfter, time.Minute)
	})

	t.Run("Should do while the buckets are away what each limit declares", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.breaks("Buckets.Take", errBlind)
		h := limit.Holder{Org: id.New[id.OrgKind]()}
		for i, n := range limit.Names() {
			if n.Kind() != limit.KindRate {
				continue
			}
			var c limit.Check
			err := s.limits.Take(t.Context(), n, h, 1, &c)
			is.Equal(err == nil, n.FailsOpen())
			is.Equal(c.Len(), 0) // nobody is told what is not known
			is.Equal(w.meter.blind, i+1)
			if err != nil {
				is.True(errors.Is(err, fault.ErrUnavailable) && errors.Is(err, errBlind))
				is.Equal(fault.From(err).RetryAfter, time.Second)
			}
		}
		is.True(limit.Requests.FailsOpen())
		is.True(!limit.WorkflowStarts.FailsOpen())

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		before := w.meter.blind
		is.NoErr(s.limits.Take(gone, limit.Requests, h, 1, &limit.Check{}))
		is.Equal(w.meter.blind, before) // the client went: that says nothing of the buckets
	})
}

func TestTakeAlone(t *testing.T) {
	t.Parallel()

	t.Run("Should hold to its rate by itself what fails open while the buckets are away", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.breaks("Buckets.Take", errBlind)
		h := limit.Holder{Org: id.New[id.OrgKind](), OrgLimits: limit.Set{limit.Requests: perMinute(2), limit.WorkflowStarts: perMinute(2)}}
		var c limit.Check
		for range 2 {
			is.NoErr(s.limits.Take(t.Context(), limit.Requests, h, 1, &c))
			is.Equal(c.Len(), 0) // how it stands with all replicas is not known
		}
		err := s.limits.Take(t.Context(), limit.Requests, h, 1, &c)
		is.True(errors.Is(err, limit.ErrRateExceeded))
		is.Equal(fault.From(err).RetryAfter, 30*time.Second)
		is.Equal(c.At(0).Decision.Remaining, int64(0))
		is.Equal(w.meter.limited, []string{"requests organization false"})
		is.Equal(w.meter.blind, 3)

		other := limit.Holder{Org: id.New[id.OrgKind](), OrgLimits: h.OrgLimits}
		is.NoErr(s.limits.Take(t.Context(), limit.Requests, other, 1, &c)) // nobody pays for another
		for range 3 {
			is.True(errors.Is(s.limits.Take(t.Context(), limit.WorkflowStarts, h, 1, &c), fault.ErrUnavailable)) // closed is closed
		}

		w.mends("Buckets.Take")
		is.NoErr(s.limits.Take(t.Context(), limit.Requests, h, 1, &c)) // those who were away know of nothing
		is.Equal(c.At(0).Decision.Remaining, int64(1))
	})

	t.Run("Should tell the log that the buckets are away, and not with each request", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		said := func() int { return strings.Count(w.log.String(), "a rate could not be asked for") }
		h := limit.Holder{Org: id.New[id.OrgKind]()}
		is.NoErr(s.limits.Take(t.Context(), limit.Requests, h, 1, &limit.Check{}))
		is.Equal(said(), 0)
		w.breaks("Buckets.Take", errBlind)
		for minute := range 2 {
			for range 5 {
				is.NoErr(s.limits.Take(t.Context(), limit.Requests, h, 1, &limit.Check{}))
				is.Equal(said(), minute+1)
			}
			w.clock.advance(time.Minute)
		}
	})
}

func TestLimitWarnings(t *testing.T) {
	t.Parallel()
	warned := func(w *world) int {
		n := 0
		for _, l := range w.trail() {
			if l.Action == audit.LimitWarned.String() {
				n++
			}
		}
		return n
	}

	t.Run("Should warn once an hour, off the request's path", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s, replica := newServices(w), newServices(w)
		o := w.addOrg("own", org.Active)
		l := perMinute(10)
		l.WarnPercent = 80
		h := limit.Holder{Org: o, OrgLimits: limit.Set{limit.Requests: l}}
		use := func(s services, times int) {
			for range times {
				_ = s.limits.Take(t.Context(), limit.Requests, h, 1, &limit.Check{})
			}
		}
		use(s, 7)
		is.NoErr(s.limits.Flush(t.Context()))
		is.Equal(warned(w), 0)

		w.forget()
		use(s, 5) // beyond the limit, too
		is.Equal(w.count("WriteTx"), 0)
		use(replica, 1)
		is.NoErr(s.limits.Flush(t.Context()))
		is.NoErr(replica.limits.Flush(t.Context()))
		is.Equal(warned(w), 1) // by whichever replica comes first
		is.Equal(w.meter.limitWarnings, []limit.Name{limit.Requests})
		got := w.trail()[0]
		is.Equal(got.Actor, whoIs(authz.Limiter))
		is.Equal(got.ResourceID, "requests")
		is.Equal(got.Changes["used"].After, float64(8))
		is.Equal(got.Changes["allowed"].After, float64(10))

		for _, pass := range []time.Duration{limits.WarnEvery - time.Second, time.Second} {
			w.clock.advance(pass)
			w.buckets.pass(pass)
			use(s, 10)
			is.NoErr(s.limits.Flush(t.Context()))
		}
		is.Equal(warned(w), 2)
	})

	t.Run("Should warn later when it can not be written now", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		l := perMinute(1)
		l.WarnPercent = 100
		h := limit.Holder{Org: o, OrgLimits: limit.Set{limit.Requests: l}}
		w.breaks("Commit", fault.ErrUnavailable)
		is.NoErr(s.limits.Take(t.Context(), limit.Requests, h, 1, &limit.Check{}))
		is.True(s.limits.Flush(t.Context()) != nil)
		is.Equal(warned(w), 0)
		w.mends("Commit")
		_ = s.limits.Take(t.Context(), limit.Requests, h, 1, &limit.Check{})
		is.NoErr(s.limits.Flush(t.Context()))
		is.Equal(warned(w), 1)
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()

	t.Run("Should show every limit with what holds and how much of it is used", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		w.hold(o, limit.Users, limit.Limit{Max: 2})
		w.hold(o, limit.Requests, perMinute(10))
		_, _ = w.aKey(s, o, authz.Member, apikeys.CreateInput{})
		is.NoErr(s.limits.Take(t.Context(), limit.Requests, limit.Holder{Org: o, OrgLimits: limit.Set{limit.Requests: perMinute(10)}}, 4, &limit.Check{}))

		got, err := s.limits.List(t.Context(), holder(o, authz.Viewer), o)
		is.NoErr(err)
		is.Equal(len(got.Items), len(limit.Names()))
		by := map[limit.Name]limits.State{}
		for _, at := range got.Items {
			by[at.Name] = at
		}
		is.Equal(*by[limit.Users].Usage, limits.Usage{Used: 1, Remaining: 1})
		is.True(by[limit.Users].Own)
		is.Equal(by[limit.Users].Standard.Max, int64(10_000))
		is.Equal(*by[limit.Requests].Usage, limits.Usage{Used: 4, Remaining: 6, ResetAfter: 24 * time.Second})
		is.Equal(by[limit.APIKeys].Usage.Used, int64(1))
		is.True(!by[limit.APIKeys].Own)
		is.Equal(by[limit.PayloadBytes].Usage, nil)

		w.breaks("Buckets.Take", errBlind)
		one, err := s.limits.Get(t.Context(), holder(o, authz.Viewer), o, limit.Requests)
		is.NoErr(err)
		is.Equal(one.Items[0].Usage, nil) // it is not known, and the rest is
		is.Equal(one.Items[0].Limit, perMinute(10))
	})

	t.Run("Should set and reset a limit, and write down what it was", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		spec := limit.Spec{Max: new(int64(5))}
		for _, version := range []int64{0, 0} { // the second changes nothing
			got, err := s.limits.Set(t.Context(), operator(), o, limit.Users, version, spec)
			is.NoErr(err)
			is.Equal(got.Items[0].Limit.Max, int64(5))
			is.Equal(got.Version, int64(1))
		}
		_, err := s.limits.Reset(t.Context(), operator(), o, limit.Users, 7)
		is.True(errors.Is(err, fault.ErrStale))
		got, err := s.limits.Reset(t.Context(), operator(), o, limit.Users, 1)
		is.NoErr(err)
		is.True(!got.Items[0].Own)
		is.Equal(got.Version, int64(2))

		trail := w.trail()
		is.Equal(len(trail), 2)
		is.Equal(trail[0].Action, audit.LimitUpdated.String())
		is.Equal(trail[0].ResourceID, "users")
		is.Equal(trail[0].Changes["max"], audit.Change{Before: float64(10_000), After: float64(5)})
		is.Equal(trail[0].Changes["own"], audit.Change{Before: false, After: true})
		is.Equal(trail[1].Changes["max"], audit.Change{Before: float64(5), After: float64(10_000)})
	})

	t.Run("Should set nothing that breaks a rule, and ask nothing before", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		_, err := s.limits.Set(t.Context(), operator(), o, limit.Requests, 0, limit.Spec{Max: new(int64(5))})
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
		w.setState(o, org.Deleting)
		_, err = s.limits.Set(t.Context(), operator(), o, limit.Users, 0, limit.Spec{Max: new(int64(5))})
		is.True(errors.Is(err, org.ErrState))
	})
}

func TestLimitsElsewhere(t *testing.T) {
	t.Parallel()

	t.Run("Should tell authentication what holds for whoever presents a key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		w.hold(o, limit.Requests, perMinute(10))
		k, secret := w.aKey(s, o, authz.Member, apikeys.CreateInput{
			Limits: map[limit.Name]limit.Spec{limit.Requests: {Count: new(int64(3)), Period: new(time.Minute), Burst: new(int64(3))}},
		})
		c, err := s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
		is.NoErr(err)
		is.Equal(c.Limits, limit.Holder{
			Org: o, OrgLimits: limit.Set{limit.Requests: perMinute(10)}, Key: k, KeyLimits: limit.Set{limit.Requests: perMinute(3)},
		})
		_, err = s.apikeys.Update(t.Context(), holder(o, authz.Admin), o, k, 0, apikeys.UpdateInput{Limits: map[limit.Name]limit.Spec{}})
		is.NoErr(err)
		is.Equal(w.stored(o, k).Limits, nil)
	})

	t.Run("Should give a key no limit but that of requests", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		for n, pointer := range map[limit.Name]string{limit.Users: "/limits/users", limit.Requests: "/limits/requests/count"} {
			_, _, err := s.apikeys.Create(t.Context(), holder(o, authz.Admin), o, apikeys.CreateInput{
				Name: "n", Scopes: []string{"users:read"}, Limits: map[limit.Name]limit.Spec{n: {}},
			})
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Pointer, pointer)
		}
	})

	t.Run("Should charge a verified key as if it had been used here", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		w.hold(o, limit.Requests, perMinute(10))
		_, secret := w.aKey(s, o, authz.Member, apikeys.CreateInput{
			Limits: map[limit.Name]limit.Spec{limit.Requests: {Count: new(int64(3)), Period: new(time.Minute), Burst: new(int64(3))}},
		})
		for _, c := range []struct {
			cost     int64
			want     apikey.Code
			org, key int64 // what is left
		}{{0, apikey.Valid, 10, 3}, {2, apikey.Valid, 8, 1}, {2, apikey.RateLimited, 8, 1}, {1, apikey.Valid, 7, 0}} {
			v, err := s.auth.Verify(t.Context(), holder(o, authz.Admin), auth.VerifyInput{Key: secret.Reveal(), Cost: c.cost})
			is.NoErr(err)
			is.Equal(v.Code, c.want)
			is.Equal(len(v.Limits), 2)
			is.Equal([]int64{v.Limits[0].Decision.Remaining, v.Limits[1].Decision.Remaining}, []int64{c.org, c.key})
		}
	})

	t.Run("Should start no more workflows than the organization may", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		w.hold(o, limit.WorkflowStarts, perMinute(1))
		start := workflow.Start{Type: "Order", TaskQueue: "orders"}
		_, err := s.workflows.Start(t.Context(), holder(o, authz.Member), o, start)
		is.NoErr(err)
		w.forget()
		_, err = s.workflows.Start(t.Context(), holder(o, authz.Member), o, start)
		is.True(errors.Is(err, limit.ErrRateExceeded))
		is.Equal(fault.From(err).RetryAfter, time.Minute)
		refused, _ := errors.AsType[*limit.RefusedError](err)
		is.Equal(refused.Policies(), []string{"workflow_starts"})
		is.Equal(w.called(), []string{"Reads.Org", "Buckets.Take"}) // nothing is on record, or started

		w.breaks("Buckets.Take", errBlind)
		_, err = s.workflows.Start(t.Context(), holder(o, authz.Member), o, start)
		is.True(errors.Is(err, fault.ErrUnavailable))
	})

	t.Run("Should explain that it is a limit, where nothing that lasts decides", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		limited := limit.Limit{Rate: ratelimit.Rate{Count: 1, Period: time.Minute, Burst: 1}}
		w.hold(o, limit.Requests, limited)
		k, _ := w.aKey(s, o, authz.Viewer, apikeys.CreateInput{})
		ask := func(p authz.Permission) roles.Explanation {
			e, err := s.roles.Explain(t.Context(), operator(), roles.Question{Actor: k.String(), Action: p, Resource: o})
			is.NoErr(err)
			return e
		}
		is.Equal(ask(authz.UsersRead).Ground, authz.ByRole)
		is.NoErr(s.limits.Take(t.Context(), limit.Requests, limit.Holder{Org: o, OrgLimits: limit.Set{limit.Requests: limited}}, 1, &limit.Check{}))
		is.Equal(ask(authz.UsersRead).Ground, authz.ByLimit)
		is.True(ask(authz.UsersRead).Err != nil)
		is.Equal(ask(authz.UsersCreate).Ground, authz.ByRole) // never, however long one waits
		w.buckets.pass(time.Minute)
		is.NoErr(ask(authz.UsersRead).Err)
	})
}
