// Package idempotency is what makes a request that is sent again the same
// request: the claim on it that one attempt holds at a time, and what is
// remembered of it afterwards.
//
// A claim travels in the context, from the edge that took it to the transaction
// that makes the change: it belongs to the request and to nothing that is asked
// for, and no use case decides anything by it but the names of what it makes.
package idempotency

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Keep is how long a request is remembered.
const Keep = 24 * time.Hour

// Digest is a SHA-256 sum.
type Digest [32]byte

// Request names a request that may be sent again. It is the credential's own:
// two callers can not meet in one.
type Request struct {
	Org       id.Org    // of the actor, whatever organization the request is about
	Key       id.APIKey // of the actor
	Operation string    // what is asked for
	Name      Digest    // of the client's word for it and what its path names
}

// Claim is one attempt's hold on a request.
type Claim struct {
	Request
	Token uuid.UUID // the attempt's own
	Since time.Time // when the request was first claimed

	// Repeated says that an attempt came before this one. What it has done outside the
	// database nobody may know.
	Repeated bool

	// Repeatable says that the whole may be done again as long as its answer was
	// not stored, as what it does bears the claim's ID and is done once by that.
	Repeatable bool
}

// ID is the same for every attempt at the request, and for no other request:
// what an attempt makes outside the database is named by it, so that the next
// attempt finds it instead of making another.
func (c Claim) ID() uuid.UUID {
	text := c.Org.String() + "\n" + c.Key.String() + "\n" + c.Operation + "\n" + string(c.Name[:]) + "\n" + c.Since.UTC().Format(time.RFC3339Nano)
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(text))
}

// Record is what is remembered of a request.
type Record struct {
	Fingerprint Digest // of all that was asked for
	Committed   bool   // a transaction of it has committed
	Resource    string // what that was about: a type and an id; may be ""
	Lapsed      bool   // the attempt that holds it has given up, or takes too long to be alive
	Answer      Answer // zero until there is one
}

// Answer is the stored answer: sealed, as it may hold a secret.
type Answer struct {
	Status   int // of HTTP; 0: there is none
	Sealed   []byte
	SealedBy int16 // the version of the key
}

// Terms are for how long a claim holds.
type Terms struct {
	Lease time.Duration // the attempt has ended after it, or is taken for dead
	Keep  time.Duration // the request is forgotten after it
}

// ErrInProgress is returned while another attempt holds the request. It comes
// with the advice when to ask again.
var ErrInProgress = fault.Define(fault.Conflict, "request.in_progress",
	"A request with this Idempotency-Key is being carried out. Send it again in a moment.").After(time.Second)

type claimKey struct{}

// With returns a context that carries a claim.
func With(ctx context.Context, c Claim) context.Context { return context.WithValue(ctx, claimKey{}, c) }

// From returns the claim that a context carries.
func From(ctx context.Context) (Claim, bool) {
	c, ok := ctx.Value(claimKey{}).(Claim)
	return c, ok && c.Token != uuid.Nil
}

// Without returns a context that carries no claim, for what is written besides
// the request's own change.
func Without(ctx context.Context) context.Context {
	if _, ok := From(ctx); !ok {
		return ctx
	}
	return context.WithValue(ctx, claimKey{}, Claim{})
}
