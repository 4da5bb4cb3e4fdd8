package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
)

func TestAssignments(t *testing.T) {
	t.Parallel()

	askAs := func(b *bundle, key, query, tags string) *httptest.ResponseRecorder {
		r := request("GET", "/api/v0/worker/assignments"+query, key, "")
		if tags != "" {
			r.Header.Set("If-None-Match", tags)
		}
		return b.do(r)
	}
	ask := func(b *bundle, query, tags string) *httptest.ResponseRecorder { return askAs(b, b.admin, query, tags) }

	t.Run("Should answer 304 to those who have the version, however they say so", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		tag := ask(b, "", "").Header().Get("ETag")
		is.True(strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) && len(tag) <= 128) // strong
		for tags, want := range map[string]int{
			tag: 304, "W/" + tag: 304, `"old", ` + tag: 304, `"a,b" ,` + tag: 304, "*": 304, `"old"`: 200, `""`: 200,
			strings.Trim(tag, `"`): 400, `"open`: 400, `"a" "b"`: 400, `w/"a"`: 400, `"a",`: 200, "*, *": 400,
		} {
			w := ask(b, "", tags)
			is.Equal(w.Code, want)
			if want == 304 {
				is.Equal(w.Header().Get("ETag"), tag)
				is.Equal(w.Body.Len(), 0)
			}
			if want == 400 {
				is.Equal(field(b.problem(w)), "If-None-Match format")
			}
		}
	})

	t.Run("Should end a wait for a change with 304 when the process goes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		tag := ask(b, "", "").Header().Get("ETag")
		answers := make(chan int)
		go func() { answers <- ask(b, "?wait=60", tag).Code }()
		b.server.SetDraining() // before or after it has come to wait
		is.Equal(<-answers, http.StatusNotModified)
	})

	t.Run("Should answer each member of a pool with its share, under a tag of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for i := range 20 {
			b.memory.orgs = append(b.memory.orgs, org.Restore(org.Snapshot{
				ID: id.New[id.OrgKind](), Slug: fmt.Sprint("o", i), State: org.Active, WorkerPool: org.DefaultPool,
			}))
		}
		tags, served := map[string]bool{}, 0
		for _, member := range []string{"one", "two"} {
			w := askAs(b, b.operator, "?pool=default&replicas=1&member="+member, "")
			is.Equal(w.Code, 200)
			tags[w.Header().Get("ETag")] = true
			served += len(decode[gen.AssignmentList](t, w).Items)
		}
		is.Equal(field(b.problem(ask(b, "?member=one", ""))), "member platform")
		is.Equal(len(tags), 2)
		is.Equal(served, len(decode[gen.AssignmentList](t, askAs(b, b.operator, "?pool=default", "")).Items))
		is.Equal(len(decode[gen.AssignmentList](t, askAs(b, b.operator, "?member=one&leaving=true", "")).Items), 0)
	})

	t.Run("Should show the members of a pool with their shares, to the platform alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for range 7 { // beside the two that there are
			b.memory.orgs = append(b.memory.orgs, org.Restore(org.Snapshot{ID: id.New[id.OrgKind](), State: org.Active, WorkerPool: org.DefaultPool}))
		}
		w := b.do(request("GET", "/api/v0/worker/pools?pool=default", b.operator, ""))
		is.Equal(w.Code, http.StatusOK)
		pools := decode[gen.WorkerPoolList](t, w).Items
		is.Equal(len(pools), 1)
		p := pools[0]
		is.Equal(*p.Pool, "default")
		is.Equal(p.Organizations, int64(9))
		is.Equal([]any{p.Members[0].Member, p.Members[0].Lapsed, p.Members[1].Member, p.Members[1].Lapsed}, []any{"one", false, "two", true})
		is.Equal(p.Members[0].Organizations+p.Members[1].Organizations, int64(9))
		is.Equal(p.Members[1].LeaseEndsAt, now)
		is.Equal(b.do(request("GET", "/api/v0/worker/pools", b.admin, "")).Code, http.StatusForbidden)
		is.Equal(field(b.problem(b.do(request("GET", "/api/v0/worker/pools?replicas=17", b.operator, "")))), "replicas range")
	})

	t.Run("Should have another version when the address changes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		here := &handlers{Deps: Deps{Config: Config{TemporalAddress: "temporal:7233"}}}
		there := &handlers{Deps: Deps{Config: Config{TemporalAddress: "elsewhere:7233"}}}

		w := ask(b, "", "")
		is.Equal(decode[gen.AssignmentList](t, w).TemporalAddress, "temporal:7233")
		_, address, _ := strings.Cut(strings.Trim(w.Header().Get("ETag"), `"`), ".")
		is.Equal("."+address, here.version(assignments.List{}))
		is.True("."+address != there.version(assignments.List{}))
	})
}
