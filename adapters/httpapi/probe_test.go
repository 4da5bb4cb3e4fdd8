package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/ports"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	ask := func(p *Probe, path string) (int, string) {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		return w.Code, w.Body.String()
	}
	probe := func(pingers ...ports.Pinger) *Probe { return NewProbe(pingers, slog.New(slog.DiscardHandler)) }
	away := pinger{name: "temporal", err: errors.New("refused")}

	t.Run("Should be ready when everything answers", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		code, body := ask(probe(pinger{name: "postgres"}, pinger{name: "temporal"}), "/readyz")
		is.Equal(code, http.StatusOK)
		is.Equal(body, `{"checks":{"postgres":"ok","temporal":"ok"},"status":"ok"}`+"\n")
	})

	t.Run("Should not be ready when anything is away, and say what", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		code, body := ask(probe(pinger{name: "postgres"}, away), "/readyz")
		is.Equal(code, http.StatusServiceUnavailable)
		is.Equal(body, `{"checks":{"postgres":"ok","temporal":"unavailable"},"status":"unavailable"}`+"\n")
	})

	t.Run("Should live whatever is away", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		code, _ := ask(probe(away), "/livez")
		is.Equal(code, http.StatusOK)
	})

	t.Run("Should deny readiness and nothing else while draining", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		p := probe(pinger{name: "postgres"})
		p.SetDraining()
		code, _ := ask(p, "/readyz")
		is.Equal(code, http.StatusServiceUnavailable)
		code, _ = ask(p, "/livez")
		is.Equal(code, http.StatusOK)
	})

	t.Run("Should answer HEAD as GET, and say to any other method which there are", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, path := range []string{"/livez", "/readyz"} {
			for method, want := range map[string]int{http.MethodHead: 503, http.MethodOptions: 204, http.MethodPost: 405, "BREW": 405} {
				if method == http.MethodHead && path == "/livez" {
					want = http.StatusOK
				}
				w := httptest.NewRecorder()
				probe(away).ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
				is.Equal(w.Code, want)
				is.Equal(w.Header().Get("Allow") != "", method != http.MethodHead)
			}
		}
	})

	t.Run("Should know no other page", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		code, _ := ask(probe(), "/metrics")
		is.Equal(code, http.StatusNotFound)
	})
}
