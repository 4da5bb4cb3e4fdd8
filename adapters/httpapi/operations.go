package httpapi

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
)

// GetOperation shows an operation, after a wait for its end if that is asked for.
func (h *handlers) GetOperation(ctx context.Context, req gen.GetOperationRequestObject) (gen.GetOperationResponseObject, error) {
	i, err := parseID[id.OperationKind]("operation", req.Operation)
	if err != nil {
		return nil, err
	}
	by := actorOf(ctx)
	o, err := waiting(ctx, h.drain, seconds(req.Params.Wait), func(ctx context.Context, wait time.Duration) (operation.Operation, error) {
		return h.Operations.Get(ctx, by, i, wait)
	})
	if err != nil {
		return nil, err
	}
	return gen.GetOperation200JSONResponse(toOperation(o)), nil
}
