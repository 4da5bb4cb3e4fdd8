//go:build wireinject

package wire

import (
	"context"

	gw "github.com/google/wire"

	"github.com/bulkheadhq/bulkhead/adapters/config"
)

// NewAPI assembles the API process.
func NewAPI(ctx context.Context, cfg config.Config, out Output, b Build) (*API, func(), error) {
	panic(gw.Build(systemSet, postgresSet, tokenSet, temporalSet, apiSet, gw.Struct(new(API), "*")))
}

// NewWorker assembles the worker process.
func NewWorker(ctx context.Context, cfg config.Config, out Output, b Build) (*Worker, func(), error) {
	panic(gw.Build(systemSet, postgresSet, tokenSet, temporalSet, workerSet, gw.Struct(new(Worker), "*")))
}

// NewAdmin assembles what works on the database without an API.
func NewAdmin(ctx context.Context, cfg config.Config, out Output) (*Admin, func(), error) {
	panic(gw.Build(systemSet, adminSet, gw.Struct(new(Admin), "*")))
}
