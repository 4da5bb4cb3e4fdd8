package sleep_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/sleep"
)

func TestFor(t *testing.T) {
	t.Run("Should wait for as long as it is told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			began := time.Now()
			is.True(sleep.For(t.Context(), time.Minute))
			is.Equal(time.Since(began), time.Minute)
			is.True(sleep.For(t.Context(), -time.Minute))
			is.Equal(time.Since(began), time.Minute)
		})
	})

	t.Run("Should end with who has asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			is.True(!sleep.For(ctx, time.Minute))
			is.Equal(time.Since(began), time.Second)
			for range 100 {
				is.True(!sleep.For(ctx, 0))
			}
		})
	})
}
