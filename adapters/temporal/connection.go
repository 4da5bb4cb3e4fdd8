// Package temporal reaches Temporal: it administers tenants' namespaces, runs
// their workflows, and starts Bulkhead's own.
//
// There are two connections, so that two powers never meet. The admin one
// carries a token for the whole cluster; only namespaces, the orchestrator and
// the system worker use it. The tenant one carries, call by call, a token that
// is good for a single namespace. A mistake in the dispatcher therefore ends at
// Temporal's own authorization, not in another tenant's namespace.
package temporal

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Connection is the way to one Temporal cluster. It is safe for concurrent use.
type Connection struct {
	cfg    Config
	clock  ports.Clock
	log    *slog.Logger
	tokens *tokenCache
	admin  client.Client
	tenant client.Client
}

// NewConnection returns a connection that is made when it is first used, and
// again whenever it was lost: Temporal may be away.
func NewConnection(cfg Config, tokens TokenSource, clock ports.Clock, logger *slog.Logger) (*Connection, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Connection{cfg: cfg, clock: clock, log: logger, tokens: newTokenCache(tokens, clock)}
	if c.admin, err = c.dial(authorizeAdmin(c.tokens)); err != nil {
		return nil, fmt.Errorf("temporal: prepare the admin connection: %w", err)
	}
	if c.tenant, err = c.dial(authorizeTenant); err != nil {
		c.admin.Close()
		return nil, fmt.Errorf("temporal: prepare the tenant connection: %w", err)
	}
	return c, nil
}

// reconnectWithin bounds the pause between two attempts to reconnect: recovery
// must not wait for a back-off that grew during a long outage.
const reconnectWithin = 2 * time.Second

func (c *Connection) dial(authorize grpc.UnaryClientInterceptor) (client.Client, error) {
	retry := backoff.DefaultConfig
	retry.BaseDelay, retry.MaxDelay = 100*time.Millisecond, reconnectWithin
	return client.NewLazyClient(client.Options{
		HostPort:                c.cfg.Address,
		Namespace:               c.cfg.SystemNamespace,
		Identity:                c.cfg.Identity,
		Logger:                  log.NewStructuredLogger(c.log),
		WorkerHeartbeatInterval: -1, // nobody reads it, and it is one call a minute and namespace
		ConnectionOptions: client.ConnectionOptions{
			TLS:         c.cfg.TLS,
			TLSDisabled: c.cfg.TLS == nil,
			DialOptions: []grpc.DialOption{
				// The SDK's own interceptors run before these: nothing changes a request after it was checked.
				grpc.WithChainUnaryInterceptor(authorize),
				grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: c.cfg.CallTimeout}),
			},
		},
	})
}

// Close ends both connections. Calls under way fail.
func (c *Connection) Close() {
	c.tenant.Close()
	c.admin.Close()
}

// System returns the SDK's client of the system namespace. It has the power of
// the whole cluster and is for the system worker alone.
func (c *Connection) System() client.Client { return c.admin }

// SystemNamespace returns the name of the namespace that Bulkhead itself runs in.
func (c *Connection) SystemNamespace() string { return c.cfg.SystemNamespace }

func (c *Connection) adminService() workflowservice.WorkflowServiceClient {
	return c.admin.WorkflowService()
}

func (c *Connection) operatorService() operatorservice.OperatorServiceClient {
	return c.admin.OperatorService()
}

// pauses stand between the attempts of a call whose connection broke.
var pauses = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond}

// method is a method of one of Temporal's gRPC services.
type method[Req, Res any] func(context.Context, *Req, ...grpc.CallOption) (*Res, error)

// invoke makes a call with a deadline of its own, and translates its error. A
// call that found Temporal away is made again, since a connection that was just
// lost mends within moments: so every request must bear repetition.
func invoke[Req, Res any](ctx context.Context, timeout time.Duration, call method[Req, Res], req *Req) (*Res, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, pause := range pauses {
		res, err := call(ctx, req)
		if !isAway(err) || !sleep.For(ctx, pause) {
			return res, toFault(err)
		}
	}
	res, err := call(ctx, req)
	return res, toFault(err)
}
