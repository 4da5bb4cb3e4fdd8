// Package embedded runs a Temporal server inside this process: one node, SQLite, authorization on. It is the only
// package that imports the server.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	server "go.temporal.io/server/temporal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

const (
	readyTimeout    = 60 * time.Second
	frontendService = "temporal.api.workflowservice.v1.WorkflowService"
)

var _ temporal.Starter = Start

// Start starts the server and returns when its frontend answers.
func Start(ctx context.Context, cfg temporal.Config) (temporal.Server, error) {
	for _, port := range []int{cfg.Port, cfg.HTTPPort} {
		if !netport.Available(temporal.Host, port) {
			return nil, fmt.Errorf("port %d on %s is taken", port, temporal.Host)
		}
	}
	store := storage(cfg.DatabasePath)
	if err := ensureSchema(ctx, cfg.DatabasePath, store); err != nil {
		return nil, fmt.Errorf("set Temporal's database up: %w", err)
	}
	// Held until the server listens: it ends the process when it finds one of them taken.
	internal, release, err := netport.Reserve(temporal.Host, len(internalServices))
	if err != nil {
		return nil, err
	}
	defer release()
	logger := newLogger(cfg.Log)
	instance, err := assemble(configuration(cfg, store, internal), logger)
	if err != nil {
		return nil, fmt.Errorf("assemble the Temporal server: %w", err)
	}
	if err := instance.Start(); err != nil {
		return nil, fmt.Errorf("start the Temporal server: %w", err)
	}
	if err := waitServing(ctx, netport.Address(temporal.Host, cfg.Port)); err != nil {
		return nil, errors.Join(err, instance.Stop())
	}
	return instance, nil
}

// assemble puts the server together. WithConfig comes first: some of the later options read it as they are made.
func assemble(settings *config.Config, logger log.Logger) (server.Server, error) {
	authorizer, err := authorization.GetAuthorizerFromConfig(&settings.Global.Authorization)
	if err != nil {
		return nil, err
	}
	claims, err := authorization.GetClaimMapperFromConfig(&settings.Global.Authorization, logger)
	if err != nil {
		return nil, err
	}
	services := make([]string, 0, len(settings.Services))
	hosts := make(map[primitives.ServiceName]static.Hosts, len(settings.Services))
	for name, service := range settings.Services {
		services = append(services, name)
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(netport.Address(temporal.Host, service.RPC.GRPCPort))
	}
	return server.NewServer(
		server.WithConfig(settings),
		server.ForServices(services),
		server.WithStaticHosts(hosts),
		server.WithLogger(logger),
		server.WithAuthorizer(authorizer),
		server.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		// Without this the server ignores the audience and accepts tokens that were made for others.
		server.WithAudienceGetter(func(c *config.Config) authorization.JWTAudienceMapper {
			return authorization.NewAudienceMapper(c.Global.Authorization.Audience)
		}),
		server.WithDynamicConfigClient(dynamicSettings()),
	)
}

// newLogger writes warnings and errors as lines of JSON.
func newLogger(output io.Writer) log.Logger {
	encoder := zapcore.NewJSONEncoder(log.DefaultZapEncoderConfig)
	return log.NewZapLogger(zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(output)), zapcore.WarnLevel)))
}

// waitServing returns when the frontend reports that it serves. The health check needs no token.
func waitServing(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("the Temporal frontend does not answer after %v", readyTimeout))
	defer cancel()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to the Temporal frontend: %w", err)
	}
	defer func() { _ = connection.Close() }()
	health := grpc_health_v1.NewHealthClient(connection)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		response, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: frontendService}, grpc.WaitForReady(true))
		if err == nil && response.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
