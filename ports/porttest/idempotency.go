package porttest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/ports"
)

// terms are those of a request whose attempt is alive, lapsed those of one whose
// attempt is taken for dead, and over those of one that is forgotten.
var (
	terms  = idempotency.Terms{Lease: time.Hour, Keep: idempotency.Keep}
	lapsed = idempotency.Terms{Lease: 0, Keep: idempotency.Keep}
	over   = idempotency.Terms{Lease: 0, Keep: 0}
)

func aDigest() (d idempotency.Digest) {
	_, _ = rand.Read(d[:]) // never fails
	return d
}

func aClaim(o id.Org) *idempotency.Claim {
	return &idempotency.Claim{
		Request: idempotency.Request{Org: o, Key: id.New[id.APIKeyKind](), Operation: "createThing", Name: aDigest()}, Token: uuid.New(),
	}
}

// another returns another attempt at the same request.
func another(c *idempotency.Claim) *idempotency.Claim {
	return &idempotency.Claim{Request: c.Request, Token: uuid.New(), Repeatable: c.Repeatable}
}

// Idempotency checks ports.Idempotency, and what ports.Store.WriteTx promises to
// a claim.
func Idempotency(t *testing.T, open Open) {
	b := open(t)
	a, other := orgID(seed(t, b, anOrg())), orgID(seed(t, b, anOrg()))
	claims := func(c *idempotency.Claim, f idempotency.Digest, terms idempotency.Terms) (idempotency.Record, bool) {
		t.Helper()
		found, ours, err := b.Idempotency.Claim(t.Context(), c, f, terms)
		must(t, err)
		return found, ours
	}
	answer := idempotency.Answer{Status: 201, Sealed: []byte{1, 0, 255}, SealedBy: 7}

	should(t, "give a request to one of many attempts", func(t *testing.T, is *is.I) {
		first, f := aClaim(a), aDigest()
		won := make([]bool, 8)
		is.NoErr(errors.Join(together(len(won), func(i int) (err error) {
			_, won[i], err = b.Idempotency.Claim(t.Context(), another(first), f, terms)
			return err
		})...))
		winners := 0
		for _, w := range won {
			if w {
				winners++
			}
		}
		is.Equal(winners, 1)
	})

	should(t, "remember the answer, and whose request it is", func(t *testing.T, is *is.I) {
		c, f := aClaim(a), aDigest()
		_, ours := claims(c, f, terms)
		is.True(ours)
		is.True(!c.Since.IsZero())
		is.True(!c.Repeated)
		found, ours := claims(another(c), f, terms)
		is.Equal(ours, false)
		is.Equal(found, idempotency.Record{Fingerprint: f})
		is.NoErr(b.Idempotency.Answer(t.Context(), *c, answer))
		found, ours = claims(another(c), aDigest(), terms)
		is.Equal(ours, false)
		is.Equal(found, idempotency.Record{Fingerprint: f, Answer: answer})
		for _, change := range []func(*idempotency.Claim){
			func(c *idempotency.Claim) { c.Org = other },
			func(c *idempotency.Claim) { c.Key = id.New[id.APIKeyKind]() },
			func(c *idempotency.Claim) { c.Operation = "createOther" },
			func(c *idempotency.Claim) { c.Name = aDigest() },
		} {
			foreign := another(c)
			change(foreign)
			_, ours = claims(foreign, f, terms)
			is.True(ours)
		}
	})

	should(t, "give a request on when its attempt lapsed without a change, and no answer of the late one", func(t *testing.T, is *is.I) {
		late, f := aClaim(a), aDigest()
		claims(late, f, lapsed)
		found, ours := claims(another(late), aDigest(), terms) // another request by the same name
		is.Equal(ours, false)
		is.Equal(found.Fingerprint, f)
		next := another(late)
		_, ours = claims(next, f, terms)
		is.True(ours)
		is.Equal(next.Since, late.Since)
		is.True(next.Repeated)
		is.Equal(next.ID(), late.ID())
		err := b.Idempotency.Answer(t.Context(), *late, answer)
		is.True(errors.Is(err, idempotency.ErrInProgress))
		is.NoErr(b.Idempotency.Release(t.Context(), *late)) // and it can not let go what it does not hold
		_, ours = claims(another(late), f, terms)
		is.Equal(ours, false)
	})

	should(t, "give a released request on at once", func(t *testing.T, is *is.I) {
		c, f := aClaim(a), aDigest()
		claims(c, f, terms)
		is.NoErr(b.Idempotency.Release(t.Context(), *c))
		_, ours := claims(another(c), f, terms)
		is.True(ours)
	})

	should(t, "take a request anew whose time is over, and erase those of all organizations", func(t *testing.T, is *is.I) {
		kept, old, foreign, f := aClaim(a), aClaim(a), aClaim(other), aDigest()
		claims(kept, f, terms)
		for _, c := range []*idempotency.Claim{old, foreign} {
			claims(c, f, over)
			is.NoErr(b.Idempotency.Answer(t.Context(), *c, answer))
		}
		again := another(old)
		_, ours := claims(again, aDigest(), over) // whatever it asks for now
		is.True(ours)
		is.True(again.Since.After(old.Since))
		is.True(!again.Repeated)
		is.True(again.ID() != old.ID())
		n, err := b.Idempotency.Erase(t.Context(), 1)
		is.NoErr(err)
		is.Equal(n, 1)
		n, err = b.Idempotency.Erase(t.Context(), 1000)
		is.NoErr(err)
		is.Equal(n, 1)
		_, ours = claims(another(kept), f, terms)
		is.Equal(ours, false)
	})

	claimedTransactions(t, b, a, other)
}

// claimedTransactions checks that a change and the fact that it has happened are
// one commit, also when the change is in another organization than the actor.
func claimedTransactions(t *testing.T, b Backend, a, other id.Org) {
	for name, o := range map[string]id.Org{"its own": a, "another": other} {
		should(t, "commit the change in "+name+" organization together with the fact that it happened", func(t *testing.T, is *is.I) {
			c, f, made := aClaim(a), aDigest(), aChange(t, o)
			_, ours, err := b.Idempotency.Claim(t.Context(), c, f, lapsed)
			is.NoErr(err)
			is.True(ours)
			ctx := idempotency.With(t.Context(), *c)
			no := errors.New("no")
			is.True(b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
				return errors.Join(made.apply(ctx, tx), no)
			}) != nil)
			c2 := another(c) // nothing has happened: it can be had
			_, ours, err = b.Idempotency.Claim(t.Context(), c2, f, lapsed)
			is.NoErr(err)
			is.True(ours)

			// The late attempt can change nothing any more.
			err = b.Store.WriteTx(ctx, o, made.apply)
			is.True(errors.Is(err, idempotency.ErrInProgress))
			is.Equal(made.happened(t, b), false)

			ctx = idempotency.With(t.Context(), *c2)
			is.NoErr(b.Store.WriteTx(ctx, o, made.apply))
			is.NoErr(b.Store.WriteTx(ctx, o, aChange(t, o).apply)) // a second transaction of the same attempt
			is.True(made.happened(t, b))
			found, ours, err := b.Idempotency.Claim(t.Context(), another(c), f, lapsed)
			is.NoErr(err)
			is.Equal(ours, false) // never again
			is.Equal(found, idempotency.Record{Fingerprint: f, Committed: true, Lapsed: true, Resource: "user " + made.user.ID().String()})
		})
	}

	should(t, "let what is repeatable, or written besides, happen again", func(t *testing.T, is *is.I) {
		for _, repeatable := range []bool{true, false} {
			c, f := aClaim(a), aDigest()
			c.Repeatable = repeatable
			_, _, err := b.Idempotency.Claim(t.Context(), c, f, lapsed)
			is.NoErr(err)
			ctx := idempotency.With(t.Context(), *c)
			if !repeatable {
				ctx = idempotency.Without(ctx)
			}
			made := aChange(t, a)
			is.NoErr(b.Store.WriteTx(ctx, a, made.apply))
			_, ours, err := b.Idempotency.Claim(t.Context(), another(c), f, terms)
			is.NoErr(err)
			is.True(ours)
		}
	})

	should(t, "take the record of a refusal for no change", func(t *testing.T, is *is.I) {
		c, f := aClaim(a), aDigest()
		_, _, err := b.Idempotency.Claim(t.Context(), c, f, lapsed)
		is.NoErr(err)
		refused := audit.Accepted(a, moment, authz.Bootstrap, audit.UserCreated, "user", "u", nil)
		refused.Outcome = audit.Refused
		is.NoErr(b.Store.WriteTx(idempotency.With(t.Context(), *c), a, func(ctx context.Context, tx ports.Tx) error {
			return tx.Audit.Append(ctx, refused)
		}))
		_, ours, err := b.Idempotency.Claim(t.Context(), another(c), f, terms)
		is.NoErr(err)
		is.True(ours)
	})
}
