package idempotency_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
)

func aClaim() idempotency.Claim {
	return idempotency.Claim{
		Request: idempotency.Request{Org: id.New[id.OrgKind](), Key: id.New[id.APIKeyKind](), Operation: "startThing", Name: idempotency.Digest{1}},
		Token:   uuid.New(), Since: time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC),
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()

	t.Run("Should have one name for all attempts at a request, on any machine", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		first := aClaim()
		second := first
		second.Token, second.Since = uuid.New(), first.Since.In(time.FixedZone("elsewhere", 3600))
		is.Equal(second.ID(), first.ID())
	})

	for name, change := range map[string]func(*idempotency.Claim){
		"organization":       func(c *idempotency.Claim) { c.Org = id.New[id.OrgKind]() },
		"key":                func(c *idempotency.Claim) { c.Key = id.New[id.APIKeyKind]() },
		"operation":          func(c *idempotency.Claim) { c.Operation = "startOther" },
		"word or path":       func(c *idempotency.Claim) { c.Name[31]++ },
		"day of the request": func(c *idempotency.Claim) { c.Since = c.Since.Add(idempotency.Keep) },
	} {
		t.Run("Should have another name for another "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			first := aClaim()
			second := first
			change(&second)
			is.True(second.ID() != first.ID())
		})
	}

	t.Run("Should travel in a context, until it is left behind", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, ok := idempotency.From(t.Context())
		is.True(!ok)
		is.Equal(idempotency.Without(t.Context()), t.Context())
		want := aClaim()
		ctx := idempotency.With(t.Context(), want)
		got, ok := idempotency.From(ctx)
		is.True(ok)
		is.Equal(got, want)
		_, ok = idempotency.From(idempotency.Without(ctx))
		is.True(!ok)
	})
}
