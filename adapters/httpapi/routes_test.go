package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
)

// lasting are the headers of an answer that another one to the same request has, too.
func lasting(w *httptest.ResponseRecorder) http.Header {
	h := w.Header().Clone()
	for _, name := range []string{"X-Request-Id", limitHeader} {
		h.Del(name)
	}
	return h
}

// left is how many requests the answer says are left.
func (b *bundle) left(w *httptest.ResponseRecorder) int64 {
	b.t.Helper()
	_, rest, _ := strings.Cut(w.Header().Get("RateLimit"), ";r=")
	n, _, _ := strings.Cut(rest, ";")
	return must(strconv.ParseInt(n, 10, 64))
}

func TestHead(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	for _, item := range doc.Paths.Map() {
		if item.Get == nil {
			continue
		}
		operation := item.Get.OperationID
		t.Run("Should answer, charge and count HEAD as GET: "+operation, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t, pinger{name: "postgres"})
			get := b.do(b.calls()[operation])
			r := b.calls()[operation]
			r.Method = http.MethodHead
			w := b.do(r)
			is.Equal(w.Code, get.Code)
			is.Equal(lasting(w), lasting(get))
			line := b.lines()[1]
			is.Equal(line["method"], http.MethodHead)
			is.Equal(line["route"], b.lines()[0]["route"])
			is.Equal(line["bytes"], 0.0) // none is sent
			is.Equal(b.memory.tallies[1], b.memory.tallies[0])
			if r.Header.Get("Authorization") == "" {
				return // it is public
			}
			cost := b.server.contract[route{http.MethodGet, line["route"].(string)}].cost
			is.Equal(b.left(get)-b.left(w), cost)
			r = b.calls()[operation]
			r.Method = http.MethodHead
			r.Header.Del("Authorization")
			w = b.do(r)
			is.Equal(w.Code, http.StatusUnauthorized)
			is.True(w.Header().Get("WWW-Authenticate") != "")
		})
	}

	t.Run("Should send no body, and say how long it would be", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		server := httptest.NewServer(b.server)
		defer server.Close()
		ask := func(method, path string) (*http.Response, string) {
			r := must(http.NewRequestWithContext(context.Background(), method, server.URL+path, http.NoBody))
			r.Header.Set("Authorization", "Bearer "+b.admin)
			r.Header.Set("Accept-Encoding", "identity")
			res := must(http.DefaultClient.Do(r))
			defer func() { _ = res.Body.Close() }()
			return res, string(must(io.ReadAll(res.Body)))
		}
		for _, path := range []string{whoamiURL, "/livez", "/docs", acmeURL + "/users/nobody"} {
			get, text := ask(http.MethodGet, path)
			head, none := ask(http.MethodHead, path)
			is.Equal(head.StatusCode, get.StatusCode)
			is.Equal(head.ContentLength, get.ContentLength)
			is.True(text != "")
			is.Equal(none, "")
		}
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	for pattern, item := range doc.Paths.Map() {
		t.Run("Should say to everybody which methods there are: "+pattern, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t)
			allowed := "" // what do holds against the document
			for _, key := range []string{"", b.admin, "bhk_nonsense"} {
				for _, org := range []string{"acme", "paused", "nobody"} {
					w := b.do(request(http.MethodOptions, strings.NewReplacer("{org}", org, "{", "", "}", "").Replace(pattern), key, ""))
					is.Equal(w.Code, http.StatusNoContent)
					is.Equal(w.Body.Len(), 0)
					is.Equal(w.Header().Get("RateLimit"), "") // nobody was asked who they are
					if allowed == "" {
						allowed = w.Header().Get("Allow")
					}
					is.Equal(w.Header().Get("Allow"), allowed)
				}
			}
			for method := range item.Operations() {
				is.True(slices.Contains(strings.Split(allowed, ", "), method))
			}
			is.Equal(b.lines()[0]["method"], http.MethodOptions)
			is.Equal(b.memory.tallies[0], tallied{otherOperation, http.StatusNoContent})
		})
	}
}
