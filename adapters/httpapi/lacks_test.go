package httpapi

import (
	"net/http"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
)

func TestLacks(t *testing.T) {
	t.Parallel()

	t.Run("Should name the permission that is missing, to whom it may be named", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		refused := func(method, path, body string) gen.Problem {
			w := b.do(request(method, path, b.admin, body))
			is.Equal(w.Code, http.StatusForbidden)
			return b.problem(w)
		}
		is.Equal(*refused("GET", "/api/v0/organizations", "").Permission, "organizations:list")
		is.Equal(*refused("POST", "/api/v0/organizations/acme/suspend", `{"reason":"x"}`).Permission, "organizations:suspend")
	})

	t.Run("Should name it in an explanation, and none where something else decides", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		explain := func(query string) gen.Explanation {
			return decode[gen.Explanation](t, b.do(request("GET", explainURL+query, b.admin, "")))
		}
		is.Equal(*explain("?action=audit:list&resource=platform").Permission, "audit:list")
		is.Equal(explain("?action=users:read&resource=acme").Permission, nil)     // it is allowed
		is.Equal(explain("?action=users:read&resource=platform").Permission, nil) // which the actor has, and does not reach so far
	})
}
