package usecase_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	const sound = "organization ok, namespace ok, drift ok, token ok, canary ok, task_queues ok, task_queue orders ok"

	for name, c := range map[string]struct {
		state org.State
		fault func(w *world, name string)
		want  string
	}{
		"nothing": {org.Active, func(*world, string) {}, sound},
		"a suspended organization": {
			org.Suspended, func(*world, string) {},
			"organization failed, namespace skipped, drift skipped, token skipped, canary skipped, task_queues skipped, task_queue orders skipped",
		},
		"a namespace that is gone": {
			org.Active, func(w *world, _ string) { w.temporal.namespace = namespace.State{Status: namespace.Absent} },
			"organization ok, namespace failed, drift skipped, token skipped, canary skipped, task_queues skipped, task_queue orders skipped",
		},
		"a namespace of another": {
			org.Active, func(w *world, _ string) { w.temporal.namespace.Owner = "another" },
			"organization ok, namespace failed, drift skipped, token skipped, canary skipped, task_queues skipped, task_queue orders skipped",
		},
		"another retention": {
			org.Active, func(w *world, _ string) { w.temporal.namespace.Retention = time.Hour }, strings.Replace(sound, "drift ok", "drift failed", 1),
		},
		"a search attribute of another type": {
			org.Active, func(w *world, _ string) {
				w.temporal.namespace.Attributes = map[string]string{namespace.AttributeActor: "Text"}
			},
			strings.Replace(sound, "drift ok", "drift failed", 1),
		},
		"a token that opens another namespace": {
			org.Active, func(w *world, name string) { w.breaks("Confined "+name, ports.ErrTokenNotConfined) }, strings.Replace(sound, "token ok", "token failed", 1),
		},
		"a token that is refused": {
			org.Active, func(w *world, name string) { w.breaks("Confined "+name, ports.ErrTokenRefused) },
			"organization ok, namespace ok, drift ok, token failed, canary skipped, task_queues skipped, task_queue orders skipped",
		},
		"a workflow that does not start": {
			org.Active, func(w *world, name string) { w.breaks("Canary "+name, ports.ErrCanaryRefused) }, strings.Replace(sound, "canary ok", "canary failed", 1),
		},
		"what runs not to be found": {
			org.Active, func(w *world, name string) { w.breaks("List "+name, fault.ErrUnavailable) }, strings.Replace(sound, "task_queues ok", "task_queues failed", 1),
		},
		"schedules not to be found": {
			org.Active, func(w *world, name string) { w.breaks("Schedules.List "+name, fault.ErrUnavailable) }, strings.Replace(sound, "task_queues ok", "task_queues failed", 1),
		},
		"no worker": {
			org.Active, func(w *world, _ string) { w.temporal.pollers = 0 }, strings.Replace(sound, "orders ok", "orders warning", 1),
		},
	} {
		t.Run("Should find "+name+", and say what to do", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", c.state)
			w.temporal.namespace, w.temporal.pollers = registered(o), 2
			c.fault(w, w.namespaceOf(o))
			got, err := newServices(w).namespaces.Examine(t.Context(), holder(o, authz.Admin), o, []string{"orders"})
			is.NoErr(err)
			var found []string
			for _, check := range got {
				found = append(found, check.Name+" "+check.Verdict.String())
				is.True(check.Detail != "")
				is.Equal(check.Repair != "", check.Verdict == namespace.Failed || check.Verdict == namespace.Warning)
			}
			is.Equal(strings.Join(found, ", "), c.want)
			is.Equal(namespace.Healthy(got), !strings.Contains(c.want, "failed"))
		})
	}

	examine := func(t *testing.T, prepare func(*temporal), queues ...string) map[string]namespace.Check {
		t.Helper()
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.temporal.namespace, w.temporal.pollers = registered(o), 2
		prepare(w.temporal)
		got, err := newServices(w).namespaces.Examine(t.Context(), holder(o, authz.Admin), o, queues)
		is.New(t).NoErr(err)
		checks := map[string]namespace.Check{}
		for _, check := range got {
			checks[check.Name] = check
		}
		return checks
	}
	starting := func(queues ...string) (out []schedule.Schedule) {
		for i, q := range queues {
			out = append(out, schedule.Schedule{ID: strconv.Itoa(i), Action: schedule.Action{TaskQueue: q}})
		}
		return out
	}

	t.Run("Should find the task queues of what runs and is scheduled, each once, and none that is not the organization's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		got := examine(t, func(d *temporal) {
			d.runs = []string{"orders", "orders", "orders", "invoices", "bulkhead-canary/1", "temporal-sys-per-ns-tq"}
			d.planned = starting("reports", "orders")
		}, "orders", "other")
		for _, q := range []string{"orders", "other", "invoices", "reports"} {
			is.Equal(got["task_queue "+q].Verdict, namespace.OK)
		}
		is.Equal(len(got), 6+4)
		is.Equal(got["task_queues"].Verdict, namespace.OK)
		is.Equal(got["task_queues"].Detail, "Named: 2. Found in what runs and is scheduled: 2 more.")
	})

	t.Run("Should say when there are more task queues than it looks at", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var many []string
		for i := range 11 {
			many = append(many, "q"+strconv.Itoa(i))
		}
		for _, prepare := range []func(*temporal){
			func(d *temporal) { d.runs = many },
			func(d *temporal) { d.planned = starting(many...) },
		} {
			got := examine(t, prepare)
			is.Equal(got["task_queues"].Verdict, namespace.Warning)
			is.Equal(len(got), 6+10)
		}
		got := examine(t, func(d *temporal) { d.planned = starting(make([]string, 21)...) }) // more schedules than are asked
		is.Equal(got["task_queues"].Verdict, namespace.Warning)
		got = examine(t, func(d *temporal) { d.runs = []string{`it's`, `it's`, "behind it"} }) // which no query leaves out
		is.Equal(got["task_queues"].Verdict, namespace.Warning)
	})

	t.Run("Should say that there is no task queue to look at", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(examine(t, func(*temporal) {})["task_queues"].Verdict, namespace.Skipped)
	})

	t.Run("Should say how far a workflow came, and what to do about the rest", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.temporal.namespace = registered(o)
		w.breaks("Canary "+w.namespaceOf(o), fault.ErrTimeout)
		repairs := map[string]bool{}
		for _, came := range []namespace.Canary{
			{},
			{Started: time.Millisecond},
			{Started: time.Millisecond, Read: 2 * time.Millisecond},
			{Started: time.Millisecond, Read: 2 * time.Millisecond, Completed: 30 * time.Millisecond},
		} {
			w.temporal.canary = came
			got, err := newServices(w).namespaces.Examine(t.Context(), holder(o, authz.Admin), o, nil)
			is.NoErr(err)
			is.Equal(got[4].Verdict, namespace.Failed)
			repairs[got[4].Repair] = true
			if came.Completed > 0 {
				is.True(strings.HasPrefix(got[4].Detail, "A workflow was started after 1 ms, read with its search attributes after 2 ms, completed by a worker after 30 ms, not listed."))
			}
		}
		is.Equal(len(repairs), 4)
	})

	t.Run("Should look at ten task queues with names, at most", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		for _, queues := range [][]string{make([]string, 11), {"orders", ""}} {
			_, err := newServices(w).namespaces.Examine(t.Context(), holder(o, authz.Admin), o, queues)
			is.True(errors.Is(err, fault.ErrInvalid))
		}
		is.Equal(len(w.called()), 0)
	})
}
