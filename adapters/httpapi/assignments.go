package httpapi

import (
	"context"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
)

// ListAssignments lists what a worker should serve. A client that has the
// present version is made to wait for another, if it asks to, or is told that
// nothing has changed.
func (h *handlers) ListAssignments(ctx context.Context, req gen.ListAssignmentsRequestObject) (gen.ListAssignmentsResponseObject, error) {
	has, err := parseEntityTags("If-None-Match", req.Params.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	by, question := actorOf(ctx), toQuestion(req.Params)
	l, err := h.Assignments.List(ctx, by, question, "", 0)
	if wait := seconds(req.Params.Wait); err == nil && wait > 0 && has.match(h.version(l)) {
		l, err = waiting(ctx, h.waits, wait, func(ctx context.Context, wait time.Duration) (assignments.List, error) {
			return h.Assignments.List(ctx, by, question, l.Version, wait)
		})
	}
	if err != nil {
		return nil, err
	}
	tag := `"` + h.version(l) + `"`
	if has.match(h.version(l)) {
		return gen.ListAssignments304Response{Headers: gen.ListAssignments304ResponseHeaders{ETag: tag}}, nil
	}
	return gen.ListAssignments200JSONResponse{
		Body:    gen.AssignmentList{Items: each(l.Items, toAssignment), TemporalAddress: h.Config.TemporalAddress},
		Headers: gen.ListAssignments200ResponseHeaders{ETag: tag},
	}, nil
}

func toQuestion(p gen.ListAssignmentsParams) assignments.Question {
	return assignments.Question{
		Pool: orZero(p.Pool), Member: orZero(p.Member), Replicas: int(orZero(p.Replicas)), Leaving: orZero(p.Leaving),
	}
}

// version returns the version of the answer: that of the list, and of the
// address which stands beside it.
func (h *handlers) version(l assignments.List) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(h.Config.TemporalAddress)) // a hash never fails
	return l.Version + "." + strconv.FormatUint(uint64(sum.Sum32()), 36)
}

// ListWorkerPools shows who serves which pool.
func (h *handlers) ListWorkerPools(ctx context.Context, req gen.ListWorkerPoolsRequestObject) (gen.ListWorkerPoolsResponseObject, error) {
	pools, err := h.Assignments.Pools(ctx, actorOf(ctx), orZero(req.Params.Pool), int(orZero(req.Params.Replicas)))
	if err != nil {
		return nil, err
	}
	return gen.ListWorkerPools200JSONResponse{Items: each(pools, toWorkerPool)}, nil
}

func toWorkerPool(p assignments.Pool) gen.WorkerPool {
	return gen.WorkerPool{Pool: optional(p.Name), Organizations: int64(p.Orgs), Members: each(p.Members, toWorkerMember)}
}

func toWorkerMember(m assignments.Member) gen.WorkerMember {
	return gen.WorkerMember{Member: m.Name, Organizations: int64(m.Orgs), LeaseEndsAt: m.LeaseEndsAt, Lapsed: m.HasLapsed}
}
