package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Probe answers /livez and /readyz for a process that has no API, in the form
// in which the API answers them. Such a process needs all it depends on.
type Probe struct {
	pingers []ports.Pinger
	log     *slog.Logger
	drain   *drain
}

// NewProbe returns a probe of what the pingers ask after.
func NewProbe(pingers []ports.Pinger, log *slog.Logger) *Probe {
	return &Probe{pingers: pingers, log: log, drain: newDrain()}
}

// SetDraining denies readiness from now on.
func (p *Probe) SetDraining() { p.drain.begin() }

// ServeHTTP answers one request.
func (p *Probe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const allow = "GET, HEAD, OPTIONS"
	switch {
	case !slices.Contains(probes, r.URL.Path):
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
	case routed(r.Method) != http.MethodGet:
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.URL.Path == livePath:
		answerHealth(w, gen.Health{Status: gen.HealthStatusOk})
	default:
		answerHealth(w, p.health(r.Context()))
	}
}

func (p *Probe) health(ctx context.Context) gen.Health {
	if p.drain.begun() {
		return gen.Health{Status: gen.HealthStatusUnavailable}
	}
	ctx, cancel := context.WithTimeout(ctx, defaultPingTimeout)
	defer cancel()
	return askAll(ctx, p.pingers, func(string) bool { return true }, p.log)
}

func answerHealth(w http.ResponseWriter, h gen.Health) {
	w.Header().Set("Content-Type", jsonMedia)
	w.Header().Set("Cache-Control", "no-store")
	if h.Status == gen.HealthStatusUnavailable {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // nobody is left to tell
}

// NewProbeServer returns an HTTP server for p with the limits of the API's.
func NewProbeServer(addr string, p *Probe) *http.Server {
	return &http.Server{
		Addr: addr, Handler: p,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeGrace, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
	}
}
