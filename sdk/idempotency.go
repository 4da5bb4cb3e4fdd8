package sdk

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
)

// idempotencyHeader is by which the API knows a post that is sent again.
const idempotencyHeader = "Idempotency-Key"

// codeInProgress is the problem of a post that is sent while it is carried out.
const codeInProgress = "request.in_progress"

type idempotencyKey struct{}

// WithIdempotencyKey returns a context for one call that changes something. The
// API does it once for each key within 24 hours, and answers every repetition
// with the first answer: store the key before the call, and the call can be
// made again after a crash. A key has up to 128 letters, digits and "-_.:".
//
// Without it every call gets a random key, by which the client repeats it safely
// as long as it runs.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

// once returns a post with its Idempotency-Key, the same for each of its attempts.
func (r request) once(ctx context.Context) request {
	if r.method != http.MethodPost {
		return r
	}
	key, _ := ctx.Value(idempotencyKey{}).(string)
	if key == "" {
		key = rand.Text()
	}
	r.header = maps.Clone(r.header)
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(idempotencyHeader, key)
	return r
}
