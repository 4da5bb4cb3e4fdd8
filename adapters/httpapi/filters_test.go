package httpapi

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
)

// asking is a request with one parameter more, or another.
func asking(r *http.Request, name, value string) *http.Request {
	q := r.URL.Query()
	q.Set(name, value)
	r.URL.RawQuery = q.Encode()
	return r
}

func TestFilters(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	// What is one of a few words by more than the document.
	words := map[string][]string{
		"listUsers": {"role"}, "listAuditEvents": {"action", "resource_type"}, "listAllAuditEvents": {"action", "resource_type"},
		"explainAccess": {"action"}, "listOrganizations": {"sort"},
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, p := range op.Parameters {
				if p.Value.In == openapi3.ParameterInQuery && len(p.Value.Schema.Value.Enum) > 0 {
					words[op.OperationID] = append(words[op.OperationID], p.Value.Name)
				}
			}
		}
	}
	nonsense := map[string]string{"action": "no.such", "sort": "nosuch"}
	for operation, names := range words {
		for _, name := range names {
			t.Run("Should refuse a word that "+name+" of "+operation+" does not know, and name it", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				b := setup(t)
				value := "nosuch"
				if nonsense[name] != "" && operation != "explainAccess" {
					value = nonsense[name]
				}
				w := b.do(asking(b.calls()[operation], name, value))
				is.Equal(w.Code, http.StatusBadRequest)
				p := b.problem(w)
				is.True(p.Fields != nil)
				is.Equal((*p.Fields)[0].Pointer, name)
				is.True((*p.Fields)[0].Rule != "")
			})
		}
	}
	t.Run("Should know of every list what it can be asked for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(len(words["listUsers"]), 3) // role, state and kind: this test finds what it should
		is.Equal(len(words["listAPIKeys"]), 1)
		is.Equal(len(words["listAuditEvents"]), 3)
	})

	t.Run("Should know the roles that there are, the organization's own too", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for _, role := range []string{"admin", "viewer", "deployer"} {
			is.Equal(b.do(request("GET", usersURL+"?"+url.Values{"role": {role}}.Encode(), b.admin, "")).Code, http.StatusOK)
		}
		w := b.do(request("GET", usersURL+"?role=nosuch", b.admin, ""))
		is.Equal(b.problem(w).Code, "role.unknown")
		is.Equal(field(b.problem(w)), "role exists")
	})

	t.Run("Should find what the trail holds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		w := b.do(request("GET", acmeURL+"/audit?action=user.created&resource_type=user", b.admin, ""))
		is.Equal(w.Code, http.StatusOK)
	})
}
