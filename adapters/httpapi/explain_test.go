package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/id"
)

func TestExplain(t *testing.T) {
	t.Parallel()

	t.Run("Should say what decides, and what it becomes in Temporal", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := decode[gen.Explanation](t, b.call("explainAccess"))
		is.True(got.Allowed)
		is.Equal(got.DecidedBy, gen.ExplanationDecidedByRole)
		is.Equal(got.Role, "admin")
		is.Equal(*got.TemporalPermission, b.acme.Namespace()+":write")
		is.Equal(*got.States.User, "active")
		got = decode[gen.Explanation](t, b.do(request("GET", explainURL+"?action=audit:list&resource=platform", b.admin, "")))
		is.True(!got.Allowed)
		is.Equal(got.DecidedBy, gen.ExplanationDecidedByPlatform)
		is.Equal(*got.States.APIKey, "active")
	})

	t.Run("Should know nothing of another organization or its people", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		bodies := map[string]bool{}
		for _, query := range []string{
			"&resource=nothere", "&resource=paused", "&resource=system",
			"&resource=acme&actor=" + id.New[id.UserKind]().String(), "&resource=acme&actor=" + b.memory.keys[1].Snapshot().ID.String(),
		} {
			w := b.do(request("GET", explainURL+"?action=users:read"+query, b.admin, ""))
			is.Equal(w.Code, http.StatusNotFound)
			bodies[strings.ReplaceAll(w.Body.String(), b.problem(w).RequestID, "")] = true
		}
		is.Equal(len(bodies), 1)
		is.Equal(b.do(request("GET", explainURL+"?action=users:fly&resource=acme", b.admin, "")).Code, http.StatusBadRequest)
	})
}
