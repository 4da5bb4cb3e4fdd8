package usecase_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	const sound = "organization ok, namespace ok, drift ok, token ok, canary ok, task_queue orders ok"

	for name, c := range map[string]struct {
		state org.State
		fault func(w *world, name string)
		want  string
	}{
		"nothing": {org.Active, func(*world, string) {}, sound},
		"a suspended organization": {
			org.Suspended, func(*world, string) {},
			"organization failed, namespace skipped, drift skipped, token skipped, canary skipped, task_queue orders skipped",
		},
		"a namespace that is gone": {
			org.Active, func(w *world, _ string) { w.temporal.namespace = namespace.State{Status: namespace.Absent} },
			"organization ok, namespace failed, drift skipped, token skipped, canary skipped, task_queue orders skipped",
		},
		"a namespace of another": {
			org.Active, func(w *world, _ string) { w.temporal.namespace.Owner = "another" },
			"organization ok, namespace failed, drift skipped, token skipped, canary skipped, task_queue orders skipped",
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
		"a workflow that does not start": {
			org.Active, func(w *world, name string) { w.breaks("Probe "+name, fault.ErrUnavailable) }, strings.Replace(sound, "canary ok", "canary failed", 1),
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
