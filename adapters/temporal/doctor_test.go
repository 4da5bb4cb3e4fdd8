package temporal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/ports/porttest"
)

// oneRow is a store of one organization.
type oneRow struct {
	ports.Store
	reads rowReads
}

func (s oneRow) Reads(id.Org) ports.Reads { return s.reads }

type rowReads struct {
	ports.Reads
	row org.Org
}

func (r rowReads) Org(context.Context) (org.Org, error) { return r.row, nil }

// misSigned signs tenants' tokens so that nobody can trust them.
type misSigned struct{ temporal.TokenSource }

func (s misSigned) Token(ctx context.Context, c signing.Claims) (string, error) {
	token, err := s.TokenSource.Token(ctx, c)
	if strings.HasPrefix(c.Permission, "org-") {
		at := strings.LastIndexByte(token, '.') + 10 // in the signature
		token = token[:at] + strings.Repeat("A", 10) + token[at+10:]
	}
	return token, err
}

// patient is an organization with a namespace at the real server.
type patient struct {
	bundle
	row       org.Snapshot
	blueprint namespace.Blueprint
}

// admit registers the namespace, without its search attributes.
func (b bundle) admit(t *testing.T) patient {
	t.Helper()
	owner := id.New[id.OrgKind]()
	row := org.Snapshot{ID: owner, Slug: "acme", State: org.Active, Namespace: "org-acme-" + owner.Tail(8)}
	p := patient{bundle: b, row: row, blueprint: namespace.Standard{}.For(row.Namespace, owner, 0)}
	if err := b.namespaces.Ensure(t.Context(), p.blueprint); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is known", func() bool { return b.namespaces.Confined(t.Context(), row.Namespace) == nil })
	return p
}

// treat makes the namespace as it must be.
func (p patient) treat(t *testing.T) {
	t.Helper()
	if err := p.namespaces.Reconcile(t.Context(), p.blueprint); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is usable", func() bool { return p.namespaces.Probe(t.Context(), p.row.Namespace) == nil })
}

// examine returns the checks by their names, each of which that has failed names the repair.
func (p patient) examine(t *testing.T) map[string]namespace.Check {
	t.Helper()
	is := is.New(t)
	s := namespaces.New(oneRow{reads: rowReads{row: org.Restore(p.row)}}, nil, p.namespaces, p.dispatcher, temporal.NewSchedules(p.conn), namespace.Standard{}, systemClock{})
	by := authz.NewKeyActor(authz.KeyHolder{Org: p.row.ID, User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Admin})
	begun := time.Now()
	found, err := s.Examine(t.Context(), by, p.row.ID, nil)
	is.NoErr(err)
	is.True(time.Since(begun) < 13*time.Second)
	checks := map[string]namespace.Check{}
	for _, c := range found {
		t.Logf("%s %s: %s %s", c.Verdict, c.Name, c.Detail, c.Repair)
		checks[c.Name] = c
		is.Equal(c.Repair != "", c.Verdict == namespace.Failed || c.Verdict == namespace.Warning)
	}
	return checks
}

func TestProbe(t *testing.T) {
	t.Parallel()
	b := setup(t)

	t.Run("Should leave nothing of probes among the organization's workflows", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := b.admit(t)
		p.treat(t)
		is.NoErr(p.namespaces.Probe(t.Context(), p.row.Namespace)) // once more, as a step that is taken again
		eventually(t, "both are listed", func() bool {
			n, err := b.dispatcher.Count(t.Context(), p.row.Namespace, "", false)
			return err == nil && n.Total == 2
		})
		is.NoErr(p.namespaces.ForgetProbe(t.Context(), p.row.Namespace))
		eventually(t, "it is gone", func() bool {
			_, err := b.dispatcher.Describe(t.Context(), p.row.Namespace, "bulkhead-probe", "")
			return errors.Is(err, workflow.ErrNotFound)
		})
		eventually(t, "it is not listed", func() bool {
			n, err := b.dispatcher.Count(t.Context(), p.row.Namespace, "", false)
			return err == nil && n.Total == 0
		})
	})
}

// TestDoctor examines organizations whose namespaces are broken at the real server.
func TestDoctor(t *testing.T) {
	t.Parallel()
	b := setup(t)

	t.Run("Should find a sound organization, and the task queues that nobody has named", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := b.admit(t)
		p.treat(t)
		b.serve(t, p.row.Namespace)
		e, err := b.dispatcher.Start(t.Context(), p.row.Namespace, member(), workflow.Start{ID: newID(), Type: porttest.WaitType, TaskQueue: taskQueue})
		is.NoErr(err)
		eventually(t, "it is listed", func() bool {
			n, err := b.dispatcher.Count(t.Context(), p.row.Namespace, `WorkflowId = "`+e.ID+`"`, false)
			return err == nil && n.Total == 1
		})
		is.NoErr(temporal.NewSchedules(b.conn).Create(t.Context(), p.row.Namespace, member(), schedule.Schedule{
			ID: "nightly", Spec: schedule.Spec{Crons: []string{"0 3 * * *"}}, Action: schedule.Action{Type: "Report", TaskQueue: "reports"},
		}))
		var found map[string]namespace.Check
		eventually(t, "the schedule is listed", func() bool {
			found = p.examine(t)
			return found["task_queue reports"].Name != ""
		})
		for _, name := range []string{"organization", "namespace", "drift", "token", "canary", "task_queues", "task_queue " + taskQueue} {
			is.Equal(found[name].Verdict, namespace.OK)
		}
		is.Equal(found["task_queue reports"].Verdict, namespace.Warning)
		is.True(strings.Contains(found["canary"].Detail, "listed after "))
		is.Equal(len(found), 8)
		eventually(t, "nothing of the canaries is listed", func() bool {
			n, err := b.dispatcher.Count(t.Context(), p.row.Namespace, `WorkflowType = "bulkhead-canary"`, false)
			return err == nil && n.Total == 0
		})
	})

	t.Run("Should find that the namespace was deleted", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := b.admit(t)
		is.NoErr(b.namespaces.Delete(t.Context(), p.row.Namespace, p.row.ID))
		found := p.examine(t)
		is.Equal(found["namespace"].Verdict, namespace.Failed)
		is.True(strings.Contains(found["namespace"].Repair, "Delete the organization and create another."))
		is.Equal(found["canary"].Verdict, namespace.Skipped)
	})

	t.Run("Should find that a search attribute is missing, and that it was repaired", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := b.admit(t)
		found := p.examine(t)
		for _, name := range []string{"drift", "canary"} {
			is.Equal(found[name].Verdict, namespace.Failed)
			is.True(strings.Contains(found[name].Repair, "bulkhead org reconcile acme"))
		}
		is.True(strings.Contains(found["drift"].Detail, "search_attributes.BulkheadActor"))
		p.treat(t)
		found = p.examine(t)
		is.Equal(found["drift"].Verdict, namespace.OK)
		is.Equal(found["canary"].Verdict, namespace.OK)
	})

	t.Run("Should find that Temporal trusts no token of the organization's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := b.admit(t)
		p.treat(t)
		conn, err := temporal.NewConnection(temporal.Config{Address: b.server.Address}, misSigned{b.server}, systemClock{}, quietLog())
		is.NoErr(err)
		defer conn.Close()
		p.bundle = bundle{server: b.server, conn: conn, dispatcher: temporal.NewDispatcher(conn), namespaces: temporal.NewNamespaces(conn)}
		found := p.examine(t)
		is.Equal(found["drift"].Verdict, namespace.OK)
		is.Equal(found["token"].Verdict, namespace.Failed)
		is.True(strings.Contains(found["token"].Repair, "authorization of Temporal's frontend"))
		is.Equal(found["canary"].Verdict, namespace.Skipped)
	})
}

// TestCanaryUnlike has a frontend that starts workflows and forgets their attributes.
func TestCanaryUnlike(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	f := &frontend{}
	came, err := temporal.NewNamespaces(startFrontend(t, f, temporal.Config{})).Canary(t.Context(), "org-a")
	is.True(errors.Is(err, ports.ErrCanaryUnlike))
	is.True(came.Started > 0)
	is.Equal(came.Read, time.Duration(0))
	is.Equal(f.seen(), []string{
		"StartWorkflowExecution Bearer org-a:write", "DescribeWorkflowExecution Bearer org-a:write", "DeleteWorkflowExecution Bearer org-a:write",
	})
}
