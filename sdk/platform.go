package sdk

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Whoami returns who the API key belongs to and what it may do.
func (c *Client) Whoami(ctx context.Context) (*Actor, error) {
	return call[Actor](ctx, c, get(path("api/v0/auth/whoami")))
}

// Token exchanges the API key for a token of a few minutes that Temporal itself
// accepts. Dial and Fleet do this by themselves.
func (c *Client) Token(ctx context.Context, in TokenRequest) (*Token, error) {
	return call[Token](ctx, c, post(path("api/v0/auth/token"), in))
}

// Operation returns a piece of long work, after waiting up to wait for its end,
// 60 seconds at most.
func (c *Client) Operation(ctx context.Context, id string, wait time.Duration) (*Operation, error) {
	return call[Operation](ctx, c, get(path("api/v0/operations", id)).waiting(wait))
}

// Ended tells whether the work is over, well or not.
func (s OperationState) Ended() bool {
	return s == OperationStateSucceeded || s == OperationStateFailed || s == OperationStateCanceled
}

// OperationError says that an operation failed for good, or was canceled.
type OperationError struct{ Operation Operation }

// Error returns the reason in one line.
func (e *OperationError) Error() string {
	s := fmt.Sprintf("%s %s: %s", e.Operation.Kind, e.Operation.State, e.Operation.Failure)
	if e.Operation.FailureCode != "" {
		s += " (" + e.Operation.FailureCode + ")"
	}
	return s
}

// progressWait is how often an operation's progress is looked at.
const progressWait = time.Second

// AwaitOperation waits until an operation has ended, however long that takes:
// the context bounds it. It calls progress, unless nil, whenever the operation
// looks different from before, the first time included. An operation that fails
// is returned with an OperationError.
func (c *Client) AwaitOperation(ctx context.Context, id string, progress func(Operation)) (*Operation, error) {
	wait := awaitWait
	if progress == nil {
		progress = func(Operation) {}
	} else {
		wait = progressWait
	}
	seen := progressOf(Operation{State: "none yet"})
	op, err := poll(ctx, c, func() (*Operation, bool, error) {
		op, err := c.Operation(ctx, id, wait)
		if err != nil {
			return nil, false, err
		}
		if p := progressOf(*op); p != seen {
			seen = p
			progress(*op)
		}
		return op, op.State.Ended(), nil
	})
	if err == nil && op.State != OperationStateSucceeded {
		return op, &OperationError{Operation: *op}
	}
	return op, err
}

// operationProgress is what of an operation changes as it goes on, and is of
// interest to whoever waits. The times are not: they may differ and mean the same.
type operationProgress struct {
	state    OperationState
	step     string
	attempts int32
	failure  string
	code     string
}

func progressOf(o Operation) operationProgress {
	return operationProgress{state: o.State, step: o.Step, attempts: o.Attempts, failure: o.Failure, code: o.FailureCode}
}

// AssignmentQuery is which organizations a worker asks for. The zero one is for all
// that the key shows; the rest takes a key of the platform.
type AssignmentQuery struct {
	// Pool chooses the organizations of a pool.
	Pool string
	// Member is the process that asks, by a name of its own such as its host's. The
	// pool is shared among its members: each is told what it should serve, and is one
	// for 15 seconds after its question was answered.
	Member string
	// Replicas is by how many members each organization is served; 0 is 1. All members
	// of a pool should say the same.
	Replicas int
	// Leaving ends the membership: others take over at once.
	Leaving bool
}

// Assignments returns which namespaces a worker should serve, and the version of
// the answer. Given the version one has, it waits up to wait, 60 seconds at
// most, for another; when there is none in that time the list is nil.
func (c *Client) Assignments(ctx context.Context, q AssignmentQuery, etag string, wait time.Duration) (list *AssignmentList, version string, err error) {
	r := get(path("api/v0/worker/assignments")).waiting(wait).with("pool", q.Pool).with("member", q.Member)
	if q.Replicas != 0 {
		r = r.with("replicas", strconv.Itoa(q.Replicas))
	}
	if q.Leaving {
		r = r.with("leaving", "true")
	}
	r.also = http.StatusNotModified
	if etag != "" {
		r.header = http.Header{"If-None-Match": {etag}}
	}
	res, err := c.do(ctx, r)
	if err != nil {
		return nil, "", err
	}
	if res.status == http.StatusNotModified {
		return nil, etag, nil
	}
	if list, err = decode[AssignmentList](res); err != nil {
		return nil, "", err
	}
	return list, res.header.Get("ETag"), nil
}

// WorkerPools returns the pools that have an organization or a member, or the one of a
// name, with each member's share where each organization is served by so many members;
// 0 is 1. It takes a key of the platform.
func (c *Client) WorkerPools(ctx context.Context, pool string, replicas int) (*WorkerPoolList, error) {
	r := get(path("api/v0/worker/pools")).with("pool", pool)
	if replicas != 0 {
		r = r.with("replicas", strconv.Itoa(replicas))
	}
	return call[WorkerPoolList](ctx, c, r)
}

// Liveness tells whether the process runs.
func (c *Client) Liveness(ctx context.Context) (*Health, error) {
	return call[Health](ctx, c, get(path("livez")))
}

// Readiness tells whether the process should get requests. One that should not
// is an answer, with the status unavailable, and no error.
func (c *Client) Readiness(ctx context.Context) (*Health, error) {
	r := get(path("readyz"))
	r.also = http.StatusServiceUnavailable
	return call[Health](ctx, c, r)
}

// Version returns the release that is running.
func (c *Client) Version(ctx context.Context) (*Version, error) {
	return call[Version](ctx, c, get(path("version")))
}

// KeySet returns the public keys that verify data-plane tokens.
func (c *Client) KeySet(ctx context.Context) (*KeySet, error) {
	return call[KeySet](ctx, c, get(path(".well-known/jwks.json")))
}
