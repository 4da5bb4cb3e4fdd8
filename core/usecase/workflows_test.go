package usecase_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func TestWorkflowsStart(t *testing.T) {
	t.Parallel()
	start := workflow.Start{ID: "order-42", Type: "Order", TaskQueue: "orders"}

	t.Run("Should stand in the trail before it starts, in the organization's namespace", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Member)
		got, err := newServices(w).workflows.Start(t.Context(), by, o, start)
		is.NoErr(err)
		is.Equal(got.ID, "order-42")
		is.Equal(w.called(), []string{"Reads.Org", "Buckets.Take", "Count " + w.namespaceOf(o), "WriteTx", "Dispatches.Request", "Audit.Append", "Dispatches.Request", "Audit.Append", "Start " + w.namespaceOf(o)})
		asked := w.temporal.starts[0]
		is.True(asked.Request != uuid.Nil)
		asked.Request = uuid.Nil
		is.Equal([]workflow.Start{asked}, []workflow.Start{start})
		is.Equal(w.temporal.starters, []authz.Actor{by})
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.WorkflowStartRequested.String())
		is.Equal(trail[0].Org, o)
		is.Equal(trail[0].ResourceID, "order-42")
		is.Equal(trail[0].Actor, whoIs(by))
	})

	t.Run("Should start nothing that nobody can account for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Reads.Org", "WriteTx", "Dispatches.Request", "Audit.Append", "Commit"} {
			w := newWorld(t)
			w.breaks(port, fault.ErrUnavailable)
			o := w.addOrg("own", org.Active)
			before := w.contents()
			_, err := newServices(w).workflows.Start(t.Context(), holder(o, authz.Member), o, start)
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(w.contents(), before)
			is.True(!slices.ContainsFunc(w.called(), func(c string) bool { return strings.HasPrefix(c, "Start ") }))
		}
	})

	t.Run("Should start with a signal for whoever may do both, and have it on record", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		signalled := start
		signalled.Signal = &workflow.Message{Name: "add"}
		s := newServices(w).workflows
		_, err := s.Start(t.Context(), holder(o, authz.Admin, authz.WorkflowsStart), o, signalled)
		is.True(errors.Is(err, fault.ErrForbidden))
		is.Equal(len(w.called()), 0)
		_, err = s.Start(t.Context(), holder(o, authz.Admin, authz.WorkflowsStart, authz.WorkflowsSignal), o, signalled)
		is.NoErr(err)
		is.Equal(w.trail()[0].Changes["signal"], audit.Created("add"))
		broken := start
		broken.Signal = &workflow.Message{}
		_, err = s.Start(t.Context(), holder(o, authz.Member), o, broken)
		is.Equal(fault.From(err).Fields[0].Pointer, "/signal/name")
	})

	t.Run("Should terminate what runs for whoever may, and have it on record", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		instead := start
		instead.Conflict, instead.Reuse = workflow.TerminateExisting, workflow.AllowDuplicateFailedOnly
		s := newServices(w).workflows
		_, err := s.Start(t.Context(), holder(o, authz.Admin, authz.WorkflowsStart), o, instead)
		is.True(errors.Is(err, fault.ErrForbidden))
		is.Equal(len(w.called()), 0)
		_, err = s.Start(t.Context(), holder(o, authz.Admin, authz.WorkflowsStart, authz.WorkflowsTerminate), o, instead)
		is.NoErr(err)
		is.Equal(w.trail()[0].Changes["id_conflict_policy"], audit.Created("terminate_existing"))
		is.Equal(w.trail()[0].Changes["id_reuse_policy"], audit.Created("allow_duplicate_failed_only"))
	})

	t.Run("Should start only what the allow-list lets the role, without another look at the database", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := newServices(w)
		rules := org.AllowList{{Role: "member", WorkflowTypes: []string{"Report*"}}}
		_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{AllowList: &rules})
		is.NoErr(err)
		trail := w.trail()
		is.True(trail[len(trail)-1].Changes["allow_list"].After != nil)
		before := len(w.called())
		_, err = s.workflows.Start(t.Context(), holder(o, authz.Member), o, start)
		is.True(errors.Is(err, org.ErrNotAllowed))
		is.Equal(w.called()[before:], []string{"Reads.Org"})
		sync := nightly
		sync.Action.Type = "Sync"
		_, err = s.schedules.Create(t.Context(), holder(o, authz.Member), o, sync)
		is.True(errors.Is(err, org.ErrNotAllowed))
		_, err = s.workflows.Start(t.Context(), holder(o, authz.Admin), o, start)
		is.NoErr(err)
		_, err = s.workflows.Start(t.Context(), holder(o, authz.Member), o, workflow.Start{ID: "r", Type: "ReportDaily", TaskQueue: "q"})
		is.NoErr(err)
	})

	t.Run("Should choose an id for whoever names none, a new one each time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s := newServices(w)
		a, err := s.workflows.Start(t.Context(), holder(o, authz.Member), o, workflow.Start{Type: "t", TaskQueue: "q"})
		is.NoErr(err)
		b, err := s.workflows.Start(t.Context(), holder(o, authz.Member), o, workflow.Start{Type: "t", TaskQueue: "q"})
		is.NoErr(err)
		is.True(strings.HasPrefix(a.ID, "wf-") && a.ID != b.ID)
		is.Equal(w.temporal.starts[0].ID, a.ID)
		is.Equal(w.trail()[0].ResourceID, a.ID)
	})

	t.Run("Should refuse a broken rule before anything is asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		_, err := newServices(w).workflows.Start(t.Context(), holder(o, authz.Member), o, workflow.Start{ID: "temporal-sys-x", Type: "t", TaskQueue: "q"})
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
	})

	t.Run("Should pass on what the dispatcher says", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.breaks("Start "+w.namespaceOf(o), workflow.ErrAlreadyStarted)
		_, err := newServices(w).workflows.Start(t.Context(), holder(o, authz.Member), o, start)
		is.True(errors.Is(err, workflow.ErrAlreadyStarted))
	})
}

func TestWorkflowsControl(t *testing.T) {
	t.Parallel()
	at := workflow.Target{ID: "order-42"}
	for name, c := range map[string]struct {
		action  audit.Action
		changes string
		done    workflow.Status // is as good as doing it
		call    func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org) error
	}{
		"Signal": {audit.WorkflowSignalRequested, `{"run_id":{"after":"latest"},"signal":{"after":"approve"}}`, workflow.Status{}, func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org) error {
			return s.Signal(t.Context(), by, o, at, workflow.Message{Name: "approve"})
		}},
		"Update": {audit.WorkflowUpdateRequested, `{"run_id":{"after":"latest"},"update":{"after":"approve"},"update_id":{"after":"u1"}}`, workflow.Status{}, func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org) error {
			_, err := s.Update(t.Context(), by, o, at, "u1", workflow.Message{Name: "approve"})
			return err
		}},
		"Reset": {audit.WorkflowResetRequested, `{"event_id":{"after":7},"reason":{"after":"mended"},"run_id":{"after":"latest"},"to":{"after":"event"}}`, workflow.Status{}, func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org) error {
			got, err := s.Reset(t.Context(), by, o, at, workflow.Reset{To: workflow.AtEvent, EventID: 7, Reason: "mended"})
			is.New(t).True(err != nil || got == "other")
			return err
		}},
		"Cancel": {audit.WorkflowCancelRequested, `{"run_id":{"after":"latest"}}`, workflow.Canceled, func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org) error {
			return s.Cancel(t.Context(), by, o, at, "")
		}},
		"Terminate": {audit.WorkflowTerminateRequested, `{"reason":{"after":"stuck"},"run_id":{"after":"latest"}}`, workflow.Terminated, func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org) error {
			return s.Terminate(t.Context(), by, o, at, "stuck")
		}},
	} {
		t.Run("Should stand in the trail, with the run, before it is done: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			by := holder(o, authz.Member)
			is.NoErr(c.call(newServices(w).workflows, t, by, o))
			called := slices.DeleteFunc(w.called(), func(c string) bool { return c == "Buckets.Take" || strings.HasPrefix(c, "Count ") }) // a reset is a start
			is.Equal(called, []string{"Reads.Org", "Describe " + w.namespaceOf(o), "WriteTx", "Audit.Append", "Audit.Append", name + " " + w.namespaceOf(o)})
			trail := w.trail()
			is.Equal(len(trail), 1)
			is.Equal(trail[0].Action, c.action.String())
			is.Equal(trail[0].ResourceID, "order-42")
			changes, err := json.Marshal(trail[0].Changes)
			is.NoErr(err)
			is.Equal(string(changes), c.changes)
			is.Equal(trail[0].Actor, whoIs(by))
		})

		t.Run("Should do nothing that nobody can account for: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, port := range []string{"Reads.Org", "Describe", "WriteTx", "Audit.Append", "Commit"} {
				w := newWorld(t)
				o := w.addOrg("own", org.Active)
				if port == "Describe" {
					port += " " + w.namespaceOf(o)
				}
				w.breaks(port, fault.ErrUnavailable)
				is.True(errors.Is(c.call(newServices(w).workflows, t, holder(o, authz.Member), o), fault.ErrUnavailable))
				is.Equal(len(w.trail()), 0)
				is.True(!slices.Contains(w.called(), name+" "+w.namespaceOf(o)))
			}
		})

		if c.done == (workflow.Status{}) {
			continue
		}
		t.Run("Should ask nothing of what has ended: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, s := range []workflow.Status{workflow.Completed, workflow.Failed, workflow.TimedOut, workflow.Canceled, workflow.Terminated} {
				w := newWorld(t)
				w.temporal.status = s
				o := w.addOrg("own", org.Active)
				err := c.call(newServices(w).workflows, t, holder(o, authz.Member), o)
				is.Equal(errors.Is(err, workflow.ErrClosed), s != c.done)
				is.Equal(err == nil, s == c.done)
				is.Equal(len(w.trail()), 0)
				is.True(!slices.Contains(w.called(), name+" "+w.namespaceOf(o)))
			}
		})
	}

	t.Run("Should refuse a broken rule before anything is asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s, by := newServices(w).workflows, holder(o, authz.Member)
		is.True(errors.Is(s.Signal(t.Context(), by, o, at, workflow.Message{}), fault.ErrInvalid))
		_, err := s.Query(t.Context(), by, o, at, workflow.Message{})
		is.True(errors.Is(err, fault.ErrInvalid))
		for _, updateID := range []string{"", " "} {
			_, err := s.Update(t.Context(), by, o, at, updateID, workflow.Message{Name: "\x00"})
			is.True(errors.Is(err, fault.ErrInvalid))
		}
		_, err = s.Update(t.Context(), by, o, at, " ", workflow.Message{Name: "n"})
		is.True(errors.Is(err, fault.ErrInvalid))
		is.True(errors.Is(s.Cancel(t.Context(), by, o, at, " "), fault.ErrInvalid))
		is.True(errors.Is(s.Terminate(t.Context(), by, o, at, strings.Repeat("x", 501)), fault.ErrInvalid))
		is.Equal(len(w.called()), 0)
	})
}

func TestWorkflows(t *testing.T) {
	t.Parallel()
	// calls are the ways to a dispatcher.
	calls := map[string]func(*workflows.Service, *testing.T, authz.Actor, id.Org, string) error{
		"Start": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.Start(t.Context(), by, o, workflow.Start{ID: wf, Type: "t", TaskQueue: "q"})
			return err
		},
		"Describe": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.Describe(t.Context(), by, o, wf, "run")
			return err
		},
		"Result": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.Result(t.Context(), by, o, wf, "run", time.Second)
			return err
		},
		"List": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.List(t.Context(), by, o, wf, page.TokenRequest{Limit: 1})
			return err
		},
		"Count": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.Count(t.Context(), by, o, wf, false)
			return err
		},
		"Signal": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			return s.Signal(t.Context(), by, o, workflow.Target{ID: wf, RunID: "run"}, workflow.Message{Name: "n"})
		},
		"Query": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.Query(t.Context(), by, o, workflow.Target{ID: wf, RunID: "run"}, workflow.Message{Name: "n"})
			return err
		},
		"Update": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.Update(t.Context(), by, o, workflow.Target{ID: wf, RunID: "run"}, "u", workflow.Message{Name: "n"})
			return err
		},
		"UpdateResult": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			_, err := s.UpdateResult(t.Context(), by, o, workflow.Target{ID: wf, RunID: "run"}, "u", time.Second)
			return err
		},
		"Cancel": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			return s.Cancel(t.Context(), by, o, workflow.Target{ID: wf, RunID: "run"}, "why")
		},
		"Terminate": func(s *workflows.Service, t *testing.T, by authz.Actor, o id.Org, wf string) error {
			return s.Terminate(t.Context(), by, o, workflow.Target{ID: wf, RunID: "run"}, "why")
		},
	}
	for name, call := range calls {
		t.Run("Should reach the namespace of the organization's row: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			for _, by := range []authz.Actor{holder(o, authz.Member), operator()} {
				is.NoErr(call(newServices(w).workflows, t, by, o, "wf"))
				calls := w.called()
				is.Equal(calls[len(calls)-1], name+" "+w.namespaceOf(o))
			}
		})

		t.Run("Should reach no namespace of an organization that is not active: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			for _, state := range []org.State{org.Provisioning, org.Failed, org.Suspended, org.Deleting, org.Deleted} {
				o := w.addOrg("own-"+state.String(), state)
				w.forget()
				is.True(errors.Is(call(newServices(w).workflows, t, operator(), o, "wf"), org.ErrNotActive))
				is.Equal(w.called(), []string{"Reads.Org"})
			}
		})

		t.Run("Should never reach the system's namespace: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			w.addSystem()
			is.True(errors.Is(call(newServices(w).workflows, t, operator(), id.SystemOrg, "wf"), org.ErrReserved))
			is.Equal(w.called(), []string{"Reads.Org"})
		})

		if name == "List" || name == "Count" {
			t.Run("Should refuse a query that cannot be one, without asking: "+name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				w := newWorld(t)
				o := w.addOrg("own", org.Active)
				for query, rule := range map[string]string{"a\x00b": "characters", "a\xffb": "characters", strings.Repeat("x", 2049): "max_length"} {
					err := call(newServices(w).workflows, t, operator(), o, query)
					is.True(errors.Is(err, fault.ErrInvalid))
					is.Equal(fault.From(err).Fields[0].Pointer+" "+fault.From(err).Fields[0].Rule, "query "+rule)
				}
				is.Equal(len(w.called()), 0)
			})
			continue
		}
		t.Run("Should find nothing under an id that cannot exist, without asking: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			o := w.addOrg("own", org.Active)
			want := fault.ErrNotFound
			if name == "Start" {
				want = fault.ErrInvalid
			}
			for _, wf := range []string{"temporal-sys-scheduler", "a\x00b", strings.Repeat("x", 256)} {
				is.True(errors.Is(call(newServices(w).workflows, t, operator(), o, wf), want))
			}
			is.Equal(len(w.called()), 0)
		})
	}
}
