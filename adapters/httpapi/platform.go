package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"sync"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/ports"
)

// required is the dependency that decides whether the API is ready.
const required = "postgres"

// GetLiveness answers, which is all there is to it.
func (h *handlers) GetLiveness(context.Context, gen.GetLivenessRequestObject) (gen.GetLivenessResponseObject, error) {
	return gen.GetLiveness200JSONResponse{HealthJSONResponse: gen.HealthJSONResponse{Status: gen.HealthStatusOk}}, nil
}

// GetReadiness tells whether requests should be sent here.
func (h *handlers) GetReadiness(ctx context.Context, _ gen.GetReadinessRequestObject) (gen.GetReadinessResponseObject, error) {
	if h.drain.begun() {
		return gen.GetReadiness503JSONResponse{Status: gen.HealthStatusUnavailable}, nil
	}
	health := h.health(ctx)
	if health.Status == gen.HealthStatusUnavailable {
		return gen.GetReadiness503JSONResponse(health), nil
	}
	return gen.GetReadiness200JSONResponse{HealthJSONResponse: gen.HealthJSONResponse(health)}, nil
}

// health asks all dependencies. Without Postgres hardly anything works; without
// the others the process is degraded and still worth asking.
func (h *handlers) health(ctx context.Context) gen.Health {
	ctx, cancel := context.WithTimeout(ctx, h.Config.PingTimeout)
	defer cancel()
	return askAll(ctx, h.Pingers, func(name string) bool { return name == required }, h.Log)
}

// askAll asks all dependencies at once, so that the slowest decides how long it
// takes. One that is needed makes the process unavailable, another one degraded.
func askAll(ctx context.Context, pingers []ports.Pinger, needed func(name string) bool, log *slog.Logger) gen.Health {
	failures := make([]error, len(pingers))
	var all sync.WaitGroup
	for i, p := range pingers {
		all.Go(func() { failures[i] = p.Ping(ctx) })
	}
	all.Wait()
	status, checks := gen.HealthStatusOk, make(map[string]gen.HealthChecks, len(pingers))
	for i, p := range pingers {
		checks[p.Name()] = gen.HealthChecksOk
		if failures[i] == nil {
			continue
		}
		log.WarnContext(ctx, "dependency does not answer", "dependency", p.Name(), "error", failures[i])
		checks[p.Name()] = gen.HealthChecksUnavailable
		if needed(p.Name()) {
			status = gen.HealthStatusUnavailable
		} else if status == gen.HealthStatusOk {
			status = gen.HealthStatusDegraded
		}
	}
	return gen.Health{Status: status, Checks: &checks}
}

// GetVersion shows the release that is running.
func (h *handlers) GetVersion(context.Context, gen.GetVersionRequestObject) (gen.GetVersionResponseObject, error) {
	return gen.GetVersion200JSONResponse{
		Version: h.Config.Version, Commit: optional(h.Config.Commit), Go: runtime.Version(),
	}, nil
}

// GetKeySet shows the public keys that verify data-plane tokens.
func (h *handlers) GetKeySet(ctx context.Context, _ gen.GetKeySetRequestObject) (gen.GetKeySetResponseObject, error) {
	document, err := h.Tokens.KeySet(ctx)
	if err != nil {
		h.Log.WarnContext(ctx, "key set not served", "error", err)
		return noKeySet{}, nil
	}
	return keySet(document), nil
}

// noKeySet is the one failure without a problem in its body. Temporal's frontend
// takes any JSON for a key set, whatever the status: it would read a problem as
// "no keys" and refuse every token. What is no JSON makes it keep what it has.
type noKeySet struct{}

// VisitGetKeySetResponse writes the answer.
func (noKeySet) VisitGetKeySetResponse(w http.ResponseWriter) error {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	return nil
}

// keySet is the one answer that caches may keep. It is JSON already, made where
// the keys are understood.
type keySet []byte

// VisitGetKeySetResponse writes the answer.
func (k keySet) VisitGetKeySetResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", jsonMedia)
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(k)
	return err
}
