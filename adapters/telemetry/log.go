// Package telemetry is what a process tells its operators: the log.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

// The formats of a log.
const (
	JSON = "json"
	Text = "text"
)

// NewLogger returns a logger that writes one line a record, as JSON or as text,
// and shows no secret: attributes whose name speaks of one are replaced, and so
// is anything in a text that has the form of an API key, a token or a password
// in a URL. This is the net below the types that hide themselves.
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	var h slog.Handler = slog.NewJSONHandler(w, o)
	if format == Text {
		h = slog.NewTextHandler(w, o)
	}
	return slog.New(messageRedactor{h})
}

const redacted = "[redacted]"

var (
	secretNames = []string{"authorization", "password", "secret", "cookie", "pepper", "private_key", "token", "api_key"}
	// In this order: an API key, the three parts of a JWT, a password in a URL.
	secretForms = regexp.MustCompile(`bhk_[0-9A-Za-z]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|(://[^\s:/@]+):[^\s@/]+@`)
)

func redact(_ []string, a slog.Attr) slog.Attr {
	if slices.Contains(secretNames, strings.ToLower(a.Key)) {
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(scrub(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(scrub(err.Error()))
		}
	}
	return a
}

// scrub replaces what has the form of a secret. The cheap test first: nearly no
// text in a log holds one.
func scrub(s string) string {
	if !strings.Contains(s, "bhk_") && !strings.Contains(s, "eyJ") && !strings.Contains(s, "://") {
		return s
	}
	return secretForms.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "://") {
			user, _, _ := strings.Cut(m[3:], ":")
			return "://" + user + ":" + redacted + "@"
		}
		return redacted
	})
}

// messageRedactor covers what ReplaceAttr does not reach in every handler: the
// message of a record.
type messageRedactor struct{ slog.Handler }

func (h messageRedactor) Handle(ctx context.Context, r slog.Record) error {
	r.Message = scrub(r.Message)
	return h.Handler.Handle(ctx, r)
}

func (h messageRedactor) WithAttrs(as []slog.Attr) slog.Handler {
	return messageRedactor{h.Handler.WithAttrs(as)}
}

func (h messageRedactor) WithGroup(name string) slog.Handler {
	return messageRedactor{h.Handler.WithGroup(name)}
}
