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
	o, err := waiting(ctx, h.waits, seconds(req.Params.Wait), func(ctx context.Context, wait time.Duration) (operation.Operation, error) {
		return h.Operations.Get(ctx, by, i, wait)
	})
	if err != nil {
		return nil, err
	}
	return gen.GetOperation200JSONResponse(toOperation(o)), nil
}

// ListOperations lists the operations of an organization.
func (h *handlers) ListOperations(ctx context.Context, req gen.ListOperationsRequestObject) (gen.ListOperationsResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listOperations", org)
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Operations.List(ctx, by, org, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListOperations200JSONResponse{Items: each(p.Items, toOperation), NextCursor: l.next(p.Next)}, nil
}

// RetryOperation makes another attempt at what an operation failed to do.
func (h *handlers) RetryOperation(ctx context.Context, req gen.RetryOperationRequestObject) (gen.RetryOperationResponseObject, error) {
	i, err := parseID[id.OperationKind]("operation", req.Operation)
	if err != nil {
		return nil, err
	}
	o, err := h.Operations.Retry(ctx, actorOf(ctx), i)
	if err != nil {
		return nil, err
	}
	op := toOperation(o)
	return gen.RetryOperation202JSONResponse{Body: op, Headers: gen.RetryOperation202ResponseHeaders{Location: operationsPath + op.ID}}, nil
}
