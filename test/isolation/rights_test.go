package isolation

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/core/authz"
)

// right is what becomes of an operation that somebody asks for.
type right byte

const (
	may       right = 'y' // it is done, or the state of things forbids it
	forbidden right = 'f' // 403: one knows of it and may not
	unknown   right = 'n' // 404: there is nothing of that name
	none      right = '-' // the question can not be put: nothing in the request names an organization
)

// rights states what each role may, in its own organization and in another one,
// for viewer, member, manager and admin in this order; and what an operator may,
// who is of the system organization, in any other. It is stated here a second time
// on purpose: the product is held against it and not the other way round.
var rights = map[string]struct{ own, foreign, operator string }{
	"getLiveness":  {"yyyy", "----", "y"},
	"getReadiness": {"yyyy", "----", "y"},
	"getVersion":   {"yyyy", "----", "y"},
	"getKeySet":    {"yyyy", "----", "y"},
	"getWhoami":    {"yyyy", "----", "y"},

	"createToken":     {"yyyy", "nnnn", "y"},
	"listAssignments": {"fyyy", "----", "y"},
	"listWorkerPools": {"ffff", "----", "y"},

	"createOrganization": {"ffff", "----", "y"},
	"listOrganizations":  {"ffff", "----", "y"},
	"getOrganization":    {"yyyy", "nnnn", "y"},

	"updateOrganization":  {"fffy", "nnnn", "y"},
	"deleteOrganization":  {"fffy", "nnnn", "y"},
	"suspendOrganization": {"ffff", "nnnn", "y"},
	"resumeOrganization":  {"ffff", "nnnn", "y"},
	"restoreOrganization": {"ffff", "nnnn", "y"},

	"getNamespace":        {"yyyy", "nnnn", "y"},
	"examineOrganization": {"fffy", "nnnn", "y"},

	"listOrphanedNamespaces":  {"ffff", "----", "y"},
	"deleteOrphanedNamespace": {"ffff", "----", "y"},

	"reconcileNamespace": {"fffy", "nnnn", "y"},

	"createUser": {"ffyy", "nnnn", "y"},
	"listUsers":  {"yyyy", "nnnn", "y"},
	"getUser":    {"yyyy", "nnnn", "y"},

	"getUserActivity": {"ffyy", "nnnn", "y"},
	"updateUser":      {"ffyy", "nnnn", "y"},
	"suspendUser":     {"ffyy", "nnnn", "y"},
	"resumeUser":      {"ffyy", "nnnn", "y"},
	"removeUser":      {"ffyy", "nnnn", "y"},
	"bulkUsers":       {"ffyy", "nnnn", "y"},
	"createRole":      {"fffy", "nnnn", "y"},
	"listRoles":       {"yyyy", "nnnn", "y"},
	"getRole":         {"yyyy", "nnnn", "y"},
	"updateRole":      {"fffy", "nnnn", "y"},
	"deleteRole":      {"fffy", "nnnn", "y"},
	"listPermissions": {"yyyy", "----", "y"},
	"explainAccess":   {"yyyy", "nnnn", "y"}, // about oneself; a viewer and a member not about another

	"getAllowList": {"yyyy", "nnnn", "y"},
	"setAllowList": {"fffy", "nnnn", "y"},
	"listLimits":   {"yyyy", "nnnn", "y"},
	"getLimit":     {"yyyy", "nnnn", "y"},
	"setLimit":     {"ffff", "nnnn", "y"},
	"resetLimit":   {"ffff", "nnnn", "y"},

	"createAPIKey": {"fffy", "nnnn", "y"},
	"listAPIKeys":  {"ffyy", "nnnn", "y"},
	"getAPIKey":    {"ffyy", "nnnn", "y"},
	"revokeAPIKey": {"fffy", "nnnn", "y"},

	"updateAPIKey":       {"fffy", "nnnn", "y"},
	"rotateAPIKey":       {"fffy", "nnnn", "y"},
	"disableAPIKey":      {"fffy", "nnnn", "y"},
	"enableAPIKey":       {"fffy", "nnnn", "y"},
	"deleteAPIKey":       {"fffy", "nnnn", "y"},
	"verifyAPIKey":       {"fffy", "----", "y"},
	"reportLeakedAPIKey": {"ffff", "----", "y"},
	"receiveGitHubLeaks": {"----", "----", "-"}, // it is signed, by somebody who has no role

	"startWorkflow":      {"fyyy", "nnnn", "y"},
	"describeWorkflow":   {"yyyy", "nnnn", "y"},
	"getWorkflowResult":  {"yyyy", "nnnn", "y"},
	"getWorkflowHistory": {"yyyy", "nnnn", "y"},
	"listWorkflows":      {"yyyy", "nnnn", "y"},
	"countWorkflows":     {"yyyy", "nnnn", "y"},
	"signalWorkflow":     {"fyyy", "nnnn", "y"},
	"queryWorkflow":      {"yyyy", "nnnn", "y"},
	"updateWorkflow":     {"fyyy", "nnnn", "y"},
	"cancelWorkflow":     {"fyyy", "nnnn", "y"},
	"resetWorkflow":      {"fyyy", "nnnn", "y"},
	"terminateWorkflow":  {"fyyy", "nnnn", "y"},

	"batchCancelWorkflows":    {"fyyy", "nnnn", "y"},
	"batchTerminateWorkflows": {"fyyy", "nnnn", "y"},
	"batchSignalWorkflows":    {"fyyy", "nnnn", "y"},
	"listWorkflowBatches":     {"yyyy", "nnnn", "y"},
	"getWorkflowBatch":        {"yyyy", "nnnn", "y"},
	"stopWorkflowBatch":       {"fyyy", "nnnn", "y"},

	"createSchedule":     {"fyyy", "nnnn", "y"},
	"listSchedules":      {"yyyy", "nnnn", "y"},
	"getSchedule":        {"yyyy", "nnnn", "y"},
	"updateSchedule":     {"fyyy", "nnnn", "y"},
	"deleteSchedule":     {"fyyy", "nnnn", "y"},
	"pauseSchedule":      {"fyyy", "nnnn", "y"},
	"resumeSchedule":     {"fyyy", "nnnn", "y"},
	"pauseAllSchedules":  {"fyyy", "nnnn", "y"},
	"resumeAllSchedules": {"fyyy", "nnnn", "y"},
	"triggerSchedule":    {"fyyy", "nnnn", "y"},
	"backfillSchedule":   {"fyyy", "nnnn", "y"},

	"getOperation": {"yyyy", "nnnn", "y"},

	"listAuditEvents":    {"ffyy", "nnnn", "y"},
	"getAuditEvent":      {"ffyy", "nnnn", "y"},
	"verifyAuditTrail":   {"ffyy", "nnnn", "y"},
	"exportAuditEvents":  {"fffy", "nnnn", "y"},
	"listAllAuditEvents": {"ffff", "----", "y"},
	"listUsage":          {"ffyy", "nnnn", "y"},
	"listOperations":     {"yyyy", "nnnn", "y"},
	"retryOperation":     {"fffy", "----", "y"}, // whose it is, is asked only of those who may retry
}

// ofRights are the roles of the columns.
var ofRights = []authz.Role{authz.Viewer, authz.Member, authz.Manager, authz.Admin}

// TestRights needs no stack, so that a new operation without its rights fails at
// once.
func TestRights(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, o := range contract() {
		known[o.id] = true
		t.Run("Should state what each role may, for "+o.id, func(t *testing.T) {
			stated, ok := rights[o.id]
			if !ok {
				t.Fatalf("add %s to rights in rights_test.go: what each role may do with it, in its own and in another organization", o.id)
			}
			for cells, n := range map[string]int{stated.own: len(ofRights), stated.foreign: len(ofRights), stated.operator: 1} {
				if len(cells) != n || strings.Trim(cells, "yfn-") != "" {
					t.Errorf("%q does not state %d cells", cells, n)
				}
			}
			if seeded[o.id].Never != "" && stated.own == "----" {
				return // it is nobody's here
			}
			if strings.ContainsAny(stated.own, "-n") || (stated.foreign != "nnnn" && stated.foreign != "----") {
				t.Error("one's own organization is never unknown, and another's never known")
			}
		})
	}
	t.Run("Should state nothing about an operation that does not exist", func(t *testing.T) {
		for operation := range rights {
			if !known[operation] {
				t.Errorf("there is no operation %s", operation)
			}
		}
	})
}

// everyRight holds the product against the table: each cell is asked for.
func everyRight(t *testing.T, w *world) {
	t.Helper()
	for _, o := range contract() {
		stated, ok := rights[o.id]
		if !ok {
			t.Errorf("%s has no rights stated", o.id)
			continue
		}
		s := seeded[o.id]
		for i, role := range ofRights {
			by := w.withRole(t, role)
			w.isRight(t, o, role.String()+", own", right(stated.own[i]), func() (*party, *credential) {
				if right(stated.own[i]) != may {
					return w.a, by
				}
				return w.furnished(t, o, role, by)
			})
			w.isRight(t, o, role.String()+", foreign", right(stated.foreign[i]), func() (*party, *credential) { return w.b, by })
		}
		w.isRight(t, o, "operator", right(stated.operator[0]), func() (*party, *credential) {
			p := w.a
			if s.Fatal {
				p = w.newParty(t)
			}
			if s.Make != nil {
				p.For[o.id] = s.Make(t, w, p)
			}
			return p, &credential{name: "the operator", header: bearer(w.stack.OperatorKey)}
		})
	}
}

// withRole returns the attackers' user with a role.
func (w *world) withRole(t *testing.T, role authz.Role) *credential {
	t.Helper()
	for i, s := range sorts {
		if s.role == role && s.scopes == 0 && !s.system {
			return &w.attackers[i].credential
		}
	}
	t.Fatalf("there is no attacker with the role %s", role)
	return nil
}

// furnished returns an organization in which the operation can succeed, and who
// asks: what an operation ends must be another each time.
func (w *world) furnished(t *testing.T, o *operation, role authz.Role, by *credential) (*party, *credential) {
	t.Helper()
	s, p := seeded[o.id], w.a
	if s.Fatal {
		p = w.newParty(t)
		_, key := w.newUser(t, p, role.String())
		by = &credential{name: role.String(), header: bearer(key)}
	}
	if s.Make != nil {
		p.For[o.id] = s.Make(t, w, p)
	}
	return p, by
}

// isRight asks, and compares the answer with a cell.
func (w *world) isRight(t *testing.T, o *operation, who string, want right, of func() (*party, *credential)) {
	t.Helper()
	if want == none {
		return
	}
	p, by := of()
	send := w.plain(o, p, p)
	got, err := w.do(t.Context(), &send, by)
	if err != nil {
		t.Fatal(err)
	}
	if is := rightOf(got); is != want {
		t.Errorf("%s by %s: want %c, got %c: %s", o.id, who, want, is, got.bytes())
	}
}

// rightOf reads a right from an answer.
func rightOf(got answer) right {
	switch {
	case got.status == 403:
		return forbidden
	case got.status == 404:
		return unknown
	case got.status == 401, got.status == 429, got.status >= 500:
		return '!'
	}
	return may
}

const rolesPage = "../../docs/security/roles.md"

var update = flag.Bool("update", false, "write docs/security/roles.md anew")

// TestRolesPage writes the page from the table, or compares the two.
func TestRolesPage(t *testing.T) {
	t.Parallel()
	want := rolesText()
	if *update {
		if err := os.WriteFile(rolesPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rolesPage)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the table says: go test ./test/isolation -run TestRolesPage -update (%v)", rolesPage, err)
	}
}

const rolesIntroduction = `# Roles

Written from the table in ` + "`test/isolation/rights_test.go`" + `, which states every cell and is held against the running product.

A user has one role, in one organization. Operators are users of the system organization and the only ones who reach others.
An API key can do what its scopes and its owner's role, as it is now, both allow; a key without an owner, what its scopes say.
Nobody can give a role or a key more power than they have.

## Permissions

| permission | what it allows | viewer | member | manager | admin | operator |
|---|---|---|---|---|---|---|
`

const rightsIntroduction = `
## Operations

Who is asked for a thing of another organization answers 404, as for a thing that does not exist: the column "in another" holds
for viewers, members, managers and admins alike. With a dash no organization is named in the request.

| operation | request | viewer | member | manager | admin | in another | operator |
|---|---|---|---|---|---|---|---|
`

func rolesText() string {
	var b strings.Builder
	b.WriteString(rolesIntroduction)
	for _, p := range authz.Operator.Permissions().Names() {
		permission, err := authz.ParsePermission(p)
		if err != nil {
			panic(err) // it comes from the same table
		}
		fmt.Fprintf(&b, "| `%s` | %s |", p, permission.Meaning())
		for _, role := range append(slices.Clone(ofRights), authz.Operator) {
			fmt.Fprintf(&b, " %s |", map[bool]string{true: "yes", false: ""}[role.Permissions().Has(permission)])
		}
		b.WriteString("\n")
	}
	b.WriteString(rightsIntroduction)
	words := map[right]string{may: "yes", forbidden: "403", unknown: "404", none: "–"}
	for _, o := range contract() {
		stated, ok := rights[o.id]
		if !ok {
			continue // another test says so
		}
		fmt.Fprintf(&b, "| %s | `%s %s` |", o.id, o.method, o.path)
		for _, cell := range stated.own + stated.foreign[:1] + stated.operator {
			fmt.Fprintf(&b, " %s |", words[right(cell)])
		}
		b.WriteString("\n")
	}
	return b.String()
}
