package cli

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestOrganizationNamespace(t *testing.T) {
	t.Parallel()
	repairable := sdk.NamespaceDifference{Field: "retention", Want: "30 days", Have: "3 days", Repairable: true}
	final := sdk.NamespaceDifference{Field: "search_attributes.BulkheadActor", Want: "Keyword", Have: "Text", Repair: "An operator must remove it."}

	t.Run("Should end with 1 for a namespace that is not as it must be, and say what to do", func(t *testing.T) {
		for name, c := range map[string]struct {
			args  string
			drift []sdk.NamespaceDifference
			hint  bool
		}{
			"org-diff-drift":           {"org diff acme", []sdk.NamespaceDifference{repairable, final}, true},
			"org-diff-drift-json":      {"org diff acme --output json", []sdk.NamespaceDifference{repairable}, true},
			"org-reconcile-drift-left": {"org reconcile acme", []sdk.NamespaceDifference{final}, false},
		} {
			t.Run(name, func(t *testing.T) {
				is := is.New(t)
				w := newWorld(t)
				for _, request := range []string{"GET /organizations/acme/namespace", "POST /organizations/acme/namespace/reconcile"} {
					w.answer(request, 200, orgNamespace(c.drift...))
				}
				code, out, err := w.run(strings.Fields(c.args)...)
				is.Equal(code, 1)
				is.Equal(strings.Contains(err, "bulkhead org reconcile acme"), c.hint)
				golden(t, "commands/"+name, out+"--- standard error\n"+err)
			})
		}
	})

	t.Run("Should end with 1 when there are orphans, and say what to do", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /namespaces/orphans", 200, sdk.OrphanList{Items: []sdk.Orphan{
			{Side: sdk.OrphanSideNamespace, Namespace: "org-lost-84sn02q0", OrganizationID: orgID, Reason: "organization_deleted", Since: now, Repair: "Delete it."},
			{Side: sdk.OrphanSideOrganization, Namespace: "org-acme-84sn02q1", OrganizationID: orgID, Reason: "namespace_absent", Repair: "Create another."},
			{Side: sdk.OrphanSideNamespace, Namespace: "org-odd", Reason: "organization_unknown", Repair: "Look at it."},
		}})
		code, out, err := w.run("namespace", "orphans")
		is.Equal(code, 1)
		golden(t, "commands/namespace-orphans-found", out+"--- standard error\n"+err)
	})

	t.Run("Should delete no orphan without being sure", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		code, _, err := w.run("namespace", "delete-orphan", "org-lost-84sn02q0")
		is.Equal(code, 2)
		is.True(strings.Contains(err, "--yes"))
	})

	t.Run("Should end with 1 when a check has failed, and mark it where people see it", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("POST /organizations/acme/doctor", 200, examination(false))
		code, out, _ := w.run("org", "doctor", "acme")
		is.Equal(code, 1)
		is.True(strings.Contains(out, "failed") && !strings.Contains(out, "✗"))
		w.env.OutTerminal = true
		code, out, _ = w.run("org", "doctor", "acme")
		is.Equal(code, 1)
		is.True(strings.Contains(out, "✗  canary"))
	})
}
