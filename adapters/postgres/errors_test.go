package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/user"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	answer := func(code string) error { return &pgconn.PgError{Code: code} }
	violation := func(code, constraint string) error { return &pgconn.PgError{Code: code, ConstraintName: constraint} }
	for name, c := range map[string]struct {
		err        error
		want       *fault.Error
		retryAfter time.Duration
	}{
		"no rows":                   {pgx.ErrNoRows, fault.ErrNotFound, 0},
		"no rows, wrapped":          {fmt.Errorf("read: %w", pgx.ErrNoRows), fault.ErrNotFound, 0},
		"slug":                      {violation("23505", "organizations_slug_key"), org.ErrSlugTaken, 0},
		"email":                     {violation("23505", "users_email_key"), user.ErrEmailTaken, 0},
		"foreign user":              {violation("23503", "api_keys_user_fkey"), fault.ErrNotFound, 0},
		"absent organization":       {violation("23503", "users_org_id_fkey"), fault.ErrNotFound, 0},
		"statement timeout":         {answer("57014"), fault.ErrTimeout, 0},
		"lock timeout":              {answer("55P03"), fault.ErrTimeout, 0},
		"idle in transaction":       {answer("25P03"), fault.ErrTimeout, 0},
		"deadline":                  {context.DeadlineExceeded, fault.ErrTimeout, 0},
		"shutdown":                  {answer("57P01"), fault.ErrUnavailable, time.Second},
		"crash":                     {answer("57P02"), fault.ErrUnavailable, time.Second},
		"starting":                  {answer("57P03"), fault.ErrUnavailable, time.Second},
		"connection failure":        {answer("08006"), fault.ErrUnavailable, time.Second},
		"too many connections":      {answer("53300"), fault.ErrUnavailable, time.Second},
		"disk full":                 {answer("53100"), fault.ErrUnavailable, time.Second},
		"replica":                   {answer("25006"), fault.ErrUnavailable, time.Second},
		"serialization":             {answer("40001"), fault.ErrUnavailable, time.Second},
		"deadlock":                  {answer("40P01"), fault.ErrUnavailable, time.Second},
		"connection broken":         {io.ErrUnexpectedEOF, fault.ErrUnavailable, time.Second},
		"connection broken, joined": {errors.Join(errors.New("x"), io.EOF), fault.ErrUnavailable, time.Second},
		"NUL":                       {answer("22021"), fault.ErrInvalid, 0},
		"NUL in JSON":               {answer("22P05"), fault.ErrInvalid, 0},
		"malformed":                 {answer("22P02"), fault.ErrInvalid, 0},
		"out of range":              {answer("22003"), fault.ErrInvalid, 0},
	} {
		t.Run("Should know "+name, func(t *testing.T) {
			is := is.New(t)
			got := postgres.Translate(t.Context(), c.err)
			is.True(errors.Is(got, c.want))
			is.Equal(fault.From(got).RetryAfter, c.retryAfter)
			is.Equal(fault.From(got).Public, c.want.Public) // nothing of the cause
		})
	}

	t.Run("Should leave the rest internal, with its cause", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(postgres.Translate(t.Context(), nil))
		for _, err := range []error{
			violation("23505", "operations_pkey"), violation("23514", "users_state_check"),
			answer("42501"), answer("42P01"), answer(""), errors.New("other"),
		} {
			got := postgres.Translate(t.Context(), err)
			is.True(errors.Is(got, err))
			is.Equal(fault.KindOf(got), fault.Internal)
		}
	})

	t.Run("Should keep context.Canceled of a caller who left, whatever the server says to it", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range []error{context.Canceled, answer("57014"), io.ErrUnexpectedEOF, fmt.Errorf("x: %w", context.Canceled)} {
			got := postgres.Translate(ctx, err)
			is.True(errors.Is(got, context.Canceled))
			is.True(errors.Is(got, err))
		}
	})
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for number, ok := range map[int]bool{
		140022: false, 150013: false, 150014: true, 150018: true, 160009: false, 160010: true,
		170005: false, 170006: true, 180000: true, 190001: true,
	} {
		t.Run(fmt.Sprintf("Should judge %d", number), func(t *testing.T) {
			is := is.New(t)
			is.Equal(postgres.CheckVersion(number) == nil, ok)
		})
	}
}
