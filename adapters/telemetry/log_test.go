package telemetry_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
)

func TestNewLogger(t *testing.T) {
	t.Parallel()
	const (
		apiKey = "bhk_0123456789ABCDEFGHIJabcdefghij"
		jwt    = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJrZXkifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
		dsn    = "postgres://app:hunter2@db:5432/x"
	)
	for _, format := range []string{"json", "text"} {
		t.Run("Should let no secret through as "+format, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			var out bytes.Buffer
			log := telemetry.NewLogger(&out, slog.LevelInfo, format)
			log.Info("message with "+apiKey, "plain", "x "+jwt, "error", errors.New("dial "+dsn), "password", "opaque-1",
				slog.Group("inner", slog.String("Authorization", "opaque-2"), slog.String("text", apiKey)))
			log.With("bound", apiKey).WithGroup("g").Warn("again", "dsn", dsn)
			for _, leak := range []string{apiKey, jwt, "hunter2", "opaque-1", "opaque-2"} {
				is.True(!strings.Contains(out.String(), leak)) // in no position of a record
			}
			is.True(strings.Contains(out.String(), "message with [redacted]"))
			is.True(strings.Contains(out.String(), "app:[redacted]@db:5432")) // what is no secret stays readable
		})
	}

	t.Run("Should keep what only looks similar", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var out bytes.Buffer
		telemetry.NewLogger(&out, slog.LevelInfo, "json").Info("see https://example.org/a:b", "hint", "bhk_ab12")
		is.True(strings.Contains(out.String(), "https://example.org/a:b"))
		is.True(strings.Contains(out.String(), "bhk_ab12")) // a hint of a key is no key
	})
}
