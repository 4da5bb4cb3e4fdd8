package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/id"
)

func TestWaits(t *testing.T) {
	t.Parallel()
	// full returns a server at which one request of an organization may wait, and does.
	full := func(t *testing.T) *bundle {
		t.Helper()
		b := setup(t)
		b.server.waits.most = 1
		if !b.server.waits.begin(b.acme.ID()) {
			t.Fatal("nobody may wait")
		}
		return b
	}

	t.Run("Should refuse to wait with too many others of the organization", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := full(t)
		for _, path := range []string{flowsURL + "/a/result", "/api/v0/operations/" + b.operation.Snapshot().ID.String()} {
			w := b.do(request("GET", path+"?wait=60", b.admin, ""))
			is.Equal(w.Code, http.StatusTooManyRequests)
			is.Equal(w.Header().Get("Retry-After"), "1")
			is.Equal(b.problem(w).Code, "request.too_many_waiting")
			is.Equal(b.do(request("GET", path, b.admin, "")).Code, http.StatusOK) // without a wait
		}
		b.server.waits.end(b.acme.ID())
		w := b.do(request("POST", flowsURL+"/a/update?wait=60", b.admin, `{"name":"approve"}`))
		is.Equal(decode[gen.WorkflowUpdate](t, w).Status, gen.WorkflowUpdateStatusCompleted) // there is room again
		is.Equal(len(b.server.waits.now), 0)
	})

	t.Run("Should let another organization wait", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := full(t)
		is.True(!b.server.waits.begin(b.acme.ID()))
		is.True(b.server.waits.begin(id.SystemOrg))
	})

	t.Run("Should send an update all the same, and answer at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := full(t)
		w := b.do(request("POST", flowsURL+"/a/update?wait=60", b.admin, `{"name":"approve"}`))
		is.Equal(w.Code, http.StatusOK)
		is.Equal(decode[gen.WorkflowUpdate](t, w).Status, gen.WorkflowUpdateStatusAccepted)
	})

	t.Run("Should give the place back however the wait ends", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		ctx := asNobody(t)
		for _, failure := range []error{nil, errors.New("away")} {
			_, err := waiting(ctx, b.server.waits, time.Second, func(context.Context, time.Duration) (int, error) {
				is.Equal(len(b.server.waits.now), 1)
				return 0, failure
			})
			is.Equal(err, failure)
			is.Equal(len(b.server.waits.now), 0)
		}
	})
}

// asNobody returns the context of a request that nobody sent.
func asNobody(t *testing.T) context.Context {
	t.Helper()
	return context.WithValue(t.Context(), exchangeKey{}, &exchange{})
}
