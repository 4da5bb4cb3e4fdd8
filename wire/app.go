// Package wire is the one place where adapters meet: it assembles the processes
// of the product from their configuration (docs/adr/0001). It starts nothing.
package wire

import (
	"log/slog"

	"github.com/bulkheadhq/bulkhead/adapters/config"
	"github.com/bulkheadhq/bulkhead/adapters/httpapi"
	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/worker"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/bootstrap"
	"github.com/bulkheadhq/bulkhead/core/usecase/dispatches"
	"github.com/bulkheadhq/bulkhead/core/usecase/keywatch"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/metering"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/refusals"
	"github.com/bulkheadhq/bulkhead/core/usecase/relay"
	"github.com/bulkheadhq/bulkhead/core/usecase/retention"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/ports"
)

// API is the API process: what cmd starts and stops.
type API struct {
	Config   config.Config
	Build    Build
	Log      *slog.Logger
	DB       *postgres.DB
	Temporal *temporal.Connection
	Tokens   *tokens.Service
	Auth     *auth.Service
	Refusals *refusals.Service
	Limits   *limits.Service
	Serving  *assignments.Service
	Buckets  ports.Buckets
	Usage    *metering.Service
	Ledger   *dispatches.Service
	HTTP     *httpapi.Server
	Metrics  *telemetry.Metrics
	Lines    *telemetry.Buffer
}

// Worker is the worker process: what cmd starts and stops.
type Worker struct {
	Config   config.Config
	Build    Build
	Log      *slog.Logger
	DB       *postgres.DB
	Temporal *temporal.Connection
	Tokens   *tokens.Service
	Relay    *relay.Service
	Archive  *retention.Service
	Requests ports.Idempotency
	Usage    ports.UsageHours
	Starts   ports.Dispatches
	Ledger   *dispatches.Service
	System   *worker.Worker
	Probe    *httpapi.Probe
	Keys     *keywatch.Service
	Metrics  *telemetry.Metrics

	Namespaces *namespaces.Watch
}

// Admin is what works on the database without an API.
type Admin struct {
	Bootstrap *bootstrap.Service
	Keys      *keywatch.Service
}
