package httpapi

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// temporalNamespaces is Acme's namespace, in which two things differ: one that can be
// repaired, and one that can not.
type temporalNamespaces struct {
	*memory
	ports.Namespaces
}

// forlorn is a namespace whose organization nobody knows.
var forlorn = namespace.Found{Name: "org-lost", State: namespace.State{ID: "lost", Status: namespace.Registered, Owner: "nobody", Tagged: true}}

func (temporalNamespaces) All(context.Context, page.TokenRequest) (page.TokenPage[namespace.Found], error) {
	return page.TokenPage[namespace.Found]{Items: []namespace.Found{forlorn}}, nil
}

func (temporalNamespaces) Discard(context.Context, string, string) error { return nil }

func (n temporalNamespaces) State(_ context.Context, name string) (namespace.State, error) {
	if name == forlorn.Name {
		return forlorn.State, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	b := namespace.Standard{}.For("", n.orgs[1].ID(), 0)
	s := namespace.State{
		Status: namespace.Registered, Owner: b.Owner.String(), Tagged: true, Description: b.Description, Retention: time.Hour,
		Attributes: map[string]string{namespace.AttributeActor: "Text"},
	}
	if n.repaired {
		s.Retention = b.Retention
	}
	return s, nil
}

func (n temporalNamespaces) Reconcile(context.Context, namespace.Blueprint) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.repaired = true
	return nil
}

func (temporalNamespaces) Confined(context.Context, string) error { return nil }

func (temporalNamespaces) Probe(context.Context, string) error { return nil }

func (temporalNamespaces) ForgetProbe(context.Context, string) error { return nil }

func (temporalNamespaces) Canary(context.Context, string) (namespace.Canary, error) {
	return namespace.Canary{Started: time.Millisecond, Read: 2 * time.Millisecond, Completed: 3 * time.Millisecond, Listed: 4 * time.Millisecond}, nil
}

func (temporalNamespaces) Pollers(context.Context, string, string) (int, error) { return 0, nil }

func TestNamespaces(t *testing.T) {
	t.Parallel()

	t.Run("Should show in what a namespace differs, and what a person has to mend", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := b.do(request("GET", acmeURL+"/namespace", b.admin, ""))
		is.Equal(got.Code, http.StatusOK)
		is.Equal(len(decode[gen.Namespace](t, got).Drift), 2)
		got = b.do(request("POST", acmeURL+"/namespace/reconcile", b.admin, ""))
		is.Equal(got.Code, http.StatusOK)
		left := decode[gen.Namespace](t, got).Drift
		is.Equal(len(left), 1)
		is.Equal(left[0].Field, "search_attributes.BulkheadActor")
		is.True(left[0].Repair != nil)
	})

	t.Run("Should show what an examination has found", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := decode[gen.Examination](t, b.do(request("POST", acmeURL+"/doctor", b.admin, `{"task_queues":["orders"]}`)))
		is.True(!got.Healthy) // it drifts
		var statuses []string
		for _, c := range got.Checks {
			statuses = append(statuses, c.Name+" "+string(c.Status))
		}
		is.Equal(statuses, []string{"organization ok", "namespace ok", "drift failed", "token ok", "canary ok", "task_queues warning", "task_queue orders warning", "task_queue reports warning"})
		is.Equal(got.Checks[4].Detail, "A workflow was started after 1 ms, read with its search attributes after 2 ms, completed by a worker after 3 ms, listed after 4 ms.")
	})

	t.Run("Should show operators what is orphaned, page by page, and delete it when it is confirmed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		const orphansURL = "/api/v0/namespaces/orphans"
		first := decode[gen.OrphanList](t, b.do(request("GET", orphansURL, b.operator, "")))
		is.Equal(len(first.Items), 1)
		is.Equal(first.Items[0].Namespace, "org-lost")
		is.Equal(first.Items[0].Side, gen.OrphanSideNamespace)
		is.Equal(first.Items[0].OrganizationID, nil)
		second := decode[gen.OrphanList](t, b.do(request("GET", orphansURL+"?cursor="+*first.NextCursor, b.operator, "")))
		is.Equal(len(second.Items), 1) // one that has another's namespace
		is.Equal(second.Items[0].Side, gen.OrphanSideOrganization)
		is.Equal(second.Items[0].Reason, "namespace_foreign")
		is.Equal(second.NextCursor, nil)
		is.Equal(b.do(request("GET", orphansURL, b.admin, "")).Code, http.StatusForbidden)
		is.Equal(b.do(request("DELETE", orphansURL+"/org-lost?confirm=org-lost", b.admin, "")).Code, http.StatusForbidden)
		is.Equal(b.do(request("DELETE", orphansURL+"/org-lost?confirm=other", b.operator, "")).Code, http.StatusBadRequest)
		is.Equal(b.do(request("DELETE", orphansURL+"/bulkhead-system?confirm=bulkhead-system", b.operator, "")).Code, http.StatusConflict)
		is.Equal(b.do(request("DELETE", orphansURL+"/org-lost?confirm=org-lost", b.operator, "")).Code, http.StatusNoContent)
	})
}
