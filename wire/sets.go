//go:build wireinject

package wire

import (
	gw "github.com/google/wire"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi"
	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/adapters/signing"
	"github.com/bulkheadhq/bulkhead/adapters/system"
	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/adapters/temporal/worker"
	coresigning "github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/bootstrap"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/dispatches"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
	"github.com/bulkheadhq/bulkhead/core/usecase/keywatch"
	"github.com/bulkheadhq/bulkhead/core/usecase/leaks"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/metering"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/operations"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/provisioning"
	"github.com/bulkheadhq/bulkhead/core/usecase/refusals"
	"github.com/bulkheadhq/bulkhead/core/usecase/relay"
	"github.com/bulkheadhq/bulkhead/core/usecase/retention"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/usecase/schedules"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/core/usecase/trail"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/ports"
)

var systemSet = gw.NewSet(
	newBuffer, newLogger, newPeppers, newRandom,
	telemetry.NewMetrics, gw.Bind(new(ports.KeyMeter), new(*telemetry.Metrics)),
	gw.Bind(new(ports.RequestMeter), new(*telemetry.Metrics)),
	gw.Bind(new(ports.CacheMeter), new(*telemetry.Metrics)),
	gw.Bind(new(ports.LimitMeter), new(*telemetry.Metrics)), gw.Bind(new(ports.NamespaceMeter), new(*telemetry.Metrics)),
	gw.Value(system.Clock{}), gw.Bind(new(ports.Clock), new(system.Clock)),
	gw.Value(system.Stopwatch{}), gw.Bind(new(ports.Stopwatch), new(system.Stopwatch)),
)

var postgresSet = gw.NewSet(
	newDB,
	postgres.NewStore, gw.Bind(new(ports.Store), new(*postgres.Store)),
	postgres.NewPlatform, gw.Bind(new(ports.Platform), new(*postgres.Platform)),
	postgres.NewCredentials, gw.Bind(new(ports.Credentials), new(*postgres.Credentials)),
	postgres.NewTrail, gw.Bind(new(ports.Trail), new(*postgres.Trail)),
	postgres.NewSigningKeys, gw.Bind(new(ports.SigningKeys), new(*postgres.SigningKeys)),
	postgres.NewUsageHours, gw.Bind(new(ports.UsageHours), new(*postgres.UsageHours)),
	postgres.NewDispatches, gw.Bind(new(ports.Dispatches), new(*postgres.Dispatches)),
	postgres.NewIdempotency, gw.Bind(new(ports.Idempotency), new(*postgres.Idempotency)),
)

var tokenSet = gw.NewSet(
	newCrypto, gw.Bind(new(ports.TokenCrypto), new(*signing.Crypto)),
	gw.Value(coresigning.DefaultPolicy),
	tokens.New, gw.Bind(new(temporal.TokenSource), new(*tokens.Service)),
)

var temporalSet = gw.NewSet(
	newConnection, temporal.NewHealth,
	temporal.NewDispatcher, gw.Bind(new(ports.Dispatcher), new(*temporal.Dispatcher)),
	temporal.NewBatches, gw.Bind(new(ports.Batches), new(*temporal.Batches)),
	temporal.NewSchedules, gw.Bind(new(ports.Schedules), new(*temporal.Schedules)),
	dispatches.New, gw.Bind(new(ports.DispatchRecorder), new(*dispatches.Service)),
	newBlueprint, temporal.NewNamespaces, gw.Bind(new(ports.Namespaces), new(*temporal.Namespaces)),
	temporal.NewOrchestrator, gw.Bind(new(ports.Orchestrator), new(*temporal.Orchestrator)),
)

var apiSet = gw.NewSet(
	orgs.New, namespaces.New, users.New, roles.New, apikeys.New, workflows.New, schedules.New, operations.New, trail.New, refusals.New, metering.New,
	assignments.New, newMembers, gw.Bind(new(ports.WorkerMembers), new(*postgres.WorkerMembers)),
	gw.Struct(new(auth.Deps), "*"), auth.New, newFeed, gw.Bind(new(ports.CredentialFeed), new(*postgres.CredentialFeed)), newAuthSettings,
	leaks.New, postgres.NewKeyUses, gw.Bind(new(ports.KeyUses), new(*postgres.KeyUses)),
	newBuckets, newStores, newStandard, limits.New, gw.Bind(new(ports.Limiter), new(*limits.Service)),
	newCursors, newETagKey, newPingers, newAPIConfig,
	newVault, gw.Bind(new(ports.Vault), new(*signing.Vault)),
	newRequestLog,
	gw.Struct(new(httpapi.Deps), "*"), httpapi.New,
)

var workerSet = gw.NewSet(
	newOutbox, gw.Bind(new(ports.Outbox), new(*postgres.Outbox)),
	provisioning.New, gw.Bind(new(worker.Provisioning), new(*provisioning.Service)),
	retention.New, deletion.New, gw.Bind(new(worker.Deletion), new(*deletion.Service)),
	holds.New, gw.Bind(new(worker.Holds), new(*holds.Service)),
	newPolicy, namespaces.NewWatch, gw.Bind(new(worker.Namespaces), new(*namespaces.Watch)),
	postgres.NewNamespacePasses, gw.Bind(new(ports.NamespacePasses), new(*postgres.NamespacePasses)),
	relay.New, worker.NewActivities, worker.New, newProbe,
	keySet,
)

// keySet is what looks after the keys of all organizations.
var keySet = gw.NewSet(
	postgres.NewKeyCensus, gw.Bind(new(ports.KeyCensus), new(*postgres.KeyCensus)), keywatch.New,
)

var adminSet = gw.NewSet(newDB, postgres.NewStore, gw.Bind(new(ports.Store), new(*postgres.Store)), bootstrap.New, keySet)
