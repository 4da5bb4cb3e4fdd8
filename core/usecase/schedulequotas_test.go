package usecase_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

func TestSchedulesQuotas(t *testing.T) {
	t.Parallel()
	large := nightly
	large.Action.Input = []json.RawMessage{[]byte(`"four letters"`)}
	refused := func(t *testing.T, n limit.Name, l limit.Limit, call func(ctx context.Context, s services, by authz.Actor, o id.Org) error, want error, pointer string) {
		t.Helper()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.setQuota(o, n, l)
		err := call(t.Context(), newServices(w), holder(o, authz.Member), o)
		is.True(errors.Is(err, want))
		if pointer != "" {
			is.Equal(fault.From(err).Fields[0].Pointer, pointer)
		}
		for _, c := range w.called() {
			is.True(!strings.HasPrefix(c, "Schedules.") || strings.HasPrefix(c, "Schedules.Describe ")) // nothing was asked for
		}
	}

	for name, call := range map[string]func(ctx context.Context, s services, by authz.Actor, o id.Org) error{
		"a schedule's input": func(ctx context.Context, s services, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Create(ctx, by, o, large)
			return err
		},
		"its new input": func(ctx context.Context, s services, by authz.Actor, o id.Org) error {
			_, err := s.schedules.Update(ctx, by, o, "nightly", 0, schedule.Change{Action: &large.Action})
			return err
		},
	} {
		t.Run("Should hold to the quota of payloads "+name, func(t *testing.T) {
			t.Parallel()
			refused(t, limit.PayloadBytes, limit.Limit{Max: 4}, call, limit.ErrPayloadTooLarge, "/action/input")
		})
	}

	trigger := func(ctx context.Context, s services, by authz.Actor, o id.Org) error {
		return s.schedules.Trigger(ctx, by, o, "nightly", schedule.Overlap{})
	}
	backfill := func(ctx context.Context, s services, by authz.Actor, o id.Org) error {
		n, err := s.schedules.Backfill(ctx, by, o, "nightly", lastHour)
		if n != 0 {
			return fmt.Errorf("%d were started", n)
		}
		return err
	}
	t.Run("Should count a start at hand for what may run", func(t *testing.T) {
		t.Parallel()
		refused(t, limit.RunningWorkflows, limit.Limit{Max: 0}, trigger, limit.ErrExceeded, "running_workflows")
	})
	t.Run("Should count all of a backfill for what may run", func(t *testing.T) {
		t.Parallel()
		refused(t, limit.RunningWorkflows, limit.Limit{Max: backfilled - 1}, backfill, limit.ErrExceeded, "running_workflows")
	})
	t.Run("Should take what starts at hand from how much may be started, and no more of a backfill than there can be at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		one := limit.Limit{Rate: ratelimit.Rate{Count: 1, Period: time.Hour, Burst: 1}}
		for _, call := range []func(ctx context.Context, s services, by authz.Actor, o id.Org) error{trigger, backfill} {
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			w.setQuota(o, limit.WorkflowStarts, one)
			s := newServices(w)
			err := call(t.Context(), s, holder(o, authz.Member), o)
			is.True(err == nil || err.Error() == fmt.Sprintf("%d were started", backfilled)) // the first
			is.True(errors.Is(call(t.Context(), s, holder(o, authz.Member), o), limit.ErrRateExceeded))
		}
	})
}
