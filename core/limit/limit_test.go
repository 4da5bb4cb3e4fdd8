package limit_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

func TestStandard(t *testing.T) {
	t.Parallel()
	own := limit.Limit{Max: 3}

	t.Run("Should prefer what was set, then what the deployment has configured, then what is built in", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s := limit.NewStandard(limit.Set{limit.Users: {Max: 5}}, ratelimit.Rate{})
		l, overridden := s.Of(limit.Users, limit.Set{limit.Users: own})
		is.Equal([]any{l, overridden}, []any{own, true})
		l, overridden = s.Of(limit.Users, nil)
		is.Equal([]any{l.Max, overridden}, []any{int64(5), false})
		l, overridden = s.Of(limit.APIKeys, limit.Set{limit.Users: own})
		is.Equal([]any{l.Max, overridden}, []any{int64(10_000), false})
	})

	t.Run("Should know every limit without a configuration, and each within its own bounds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, n := range limit.Names() {
			zero, _ := limit.Standard{}.Of(n, nil)
			built, _ := limit.NewStandard(nil, ratelimit.Rate{}).Of(n, nil)
			is.Equal(zero, built)
			is.True(n.Words() != "")
			spec := limit.Spec{WarnPercent: &built.WarnPercent}
			if n.Kind() == limit.KindQuota {
				spec.Max = &built.Max
			} else {
				spec.Count, spec.Period, spec.Burst = &built.Rate.Count, &built.Rate.Period, &built.Rate.Burst
			}
			again, err := n.New(spec)
			is.NoErr(err)
			is.Equal(again, built)
			parsed, ok := limit.Parse(n.String())
			is.True(ok)
			is.Equal(parsed, n)
		}
		_, ok := limit.Parse("wishes")
		is.True(!ok)
	})

	t.Run("Should give no two limits that are warned of one bucket", func(t *testing.T) {
		t.Parallel()
		seen := map[uint8]limit.Name{}
		for _, n := range limit.Names() {
			if n == limit.PayloadBytes { // which is nothing that fills up
				continue
			}
			if other, taken := seen[n.BucketKind()]; taken {
				t.Errorf("%s and %s share bucket %d", n, other, n.BucketKind())
			}
			seen[n.BucketKind()] = n
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	minute := time.Minute

	t.Run("Should choose the burst and the warning that nobody has chosen", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l, err := limit.Requests.New(limit.Spec{Count: new(int64(600)), Period: &minute})
		is.NoErr(err)
		is.Equal(l, limit.Limit{Rate: ratelimit.Rate{Count: 600, Period: minute, Burst: 60}, WarnPercent: 80})
		l, err = limit.Requests.New(limit.Spec{Count: new(int64(3)), Period: &minute, Burst: new(int64(3)), WarnPercent: new(0), DryRun: true})
		is.NoErr(err)
		is.Equal(l, limit.Limit{Rate: ratelimit.Rate{Count: 3, Period: minute, Burst: 3}, DryRun: true})
		is.Equal(limit.DefaultBurst(3), int64(1))
	})

	t.Run("Should let a quota be nothing at all", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l, err := limit.Users.New(limit.Spec{Max: new(int64(0))})
		is.NoErr(err)
		is.Equal(l, limit.Limit{WarnPercent: 80})
	})

	rate := func(count int64, period time.Duration, burst int64) limit.Spec {
		return limit.Spec{Count: &count, Period: &period, Burst: &burst}
	}
	for _, c := range []struct {
		of            limit.Name
		spec          limit.Spec
		pointer, rule string
	}{
		{limit.Requests, limit.Spec{}, "/count", "required"},
		{limit.Requests, limit.Spec{Count: new(int64(1))}, "/period_seconds", "required"},
		{limit.Requests, limit.Spec{Max: new(int64(1))}, "/max", "kind"},
		{limit.Requests, rate(0, minute, 1), "/count", "range"},
		{limit.Requests, rate(1e9+1, minute, 1), "/count", "range"},
		{limit.Requests, rate(10, 0, 1), "/period_seconds", "range"},
		{limit.Requests, rate(10, 1500*time.Millisecond, 1), "/period_seconds", "range"},
		{limit.Requests, rate(10, 24*time.Hour+time.Second, 1), "/period_seconds", "range"},
		{limit.Requests, rate(10, minute, 0), "/burst", "range"},
		{limit.Requests, rate(10, minute, 11), "/burst", "range"},
		{limit.Requests, limit.Spec{Count: new(int64(1)), Period: &minute, WarnPercent: new(101)}, "/warn_percent", "range"},
		{limit.Users, limit.Spec{}, "/max", "required"},
		{limit.Users, limit.Spec{Max: new(int64(-1))}, "/max", "range"},
		{limit.Users, limit.Spec{Max: new(int64(1e7 + 1))}, "/max", "range"},
		{limit.Users, limit.Spec{Max: new(int64(1)), WarnPercent: new(-1)}, "/warn_percent", "range"},
		{limit.Users, limit.Spec{Max: new(int64(1)), Count: new(int64(1))}, "/count", "kind"},
	} {
		t.Run(fmt.Sprintf("Should refuse %s of %s by its %s", c.pointer, c.of, c.rule), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := c.of.New(c.spec)
			is.True(fault.IsKind(err, fault.Invalid))
			is.Equal(fault.From(err).Fields[0].Pointer, c.pointer)
			is.Equal(fault.From(err).Fields[0].Rule, c.rule)
		})
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	full := limit.Set{
		limit.Requests: {Rate: ratelimit.Rate{Count: 600, Period: time.Minute, Burst: 60}, WarnPercent: 80, DryRun: true},
		limit.Users:    {Max: 0, WarnPercent: 50},
	}

	t.Run("Should come back from JSON as it was", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range []limit.Set{nil, full} {
			b, err := json.Marshal(s)
			is.NoErr(err)
			var back limit.Set
			is.NoErr(json.Unmarshal(b, &back))
			is.Equal(back, s)
		}
	})

	t.Run("Should leave out a limit that only a later version knows", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var s limit.Set
		is.NoErr(json.Unmarshal([]byte(`{"wishes":{"anything":[1]},"users":{"max":0,"warn_percent":50}}`), &s))
		is.Equal(s, limit.Set{limit.Users: full[limit.Users]})
		is.NoErr(json.Unmarshal([]byte(`{"wishes":{}}`), &s))
		is.Equal(s, nil)
	})

	for _, b := range []string{
		`[]`, `{"users":{}}`, `{"users":{"max":-1}}`, `{"users":{"max":1,"min":1}}`, `{"users":{"count":1,"period_seconds":1,"burst":1}}`,
		`{"requests":{"max":1}}`, `{"requests":{"count":0,"period_seconds":60,"burst":1}}`, `{"requests":{"count":1,"period_seconds":60}}`,
	} {
		t.Run("Should not take for a limit "+b, func(t *testing.T) {
			t.Parallel()
			var s limit.Set
			is.New(t).True(json.Unmarshal([]byte(b), &s) != nil)
		})
	}

	t.Run("Should be changed by nobody who holds it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		one := limit.Set(nil).With(limit.Users, limit.Limit{Max: 1})
		is.Equal(one.With(limit.Users, limit.Limit{Max: 2})[limit.Users].Max, int64(2))
		is.Equal(one.Without(limit.Users), nil)
		is.Equal(one, limit.Set{limit.Users: {Max: 1}})
		is.True(one.Equal(limit.Set{limit.Users: {Max: 1}}))
		is.True(!one.Equal(nil))
	})
}
