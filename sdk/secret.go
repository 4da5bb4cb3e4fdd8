package sdk

import (
	"fmt"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// secret is a credential in memory. It shows itself to nobody but whoever
// converts it to a string on purpose.
type secret string

// Format hides the secret, whatever the verb.
func (s secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the secret.
func (s secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// scrub takes the secret out of a text that somebody else wrote: a proxy's error
// page may well repeat the request.
func (s secret) scrub(text string) string {
	if s == "" {
		return text
	}
	return strings.ReplaceAll(text, string(s), redacted)
}

// The answers that hold a secret show themselves without it. JSON has it, as
// passing it on is what they are for.

// Format shows the new key without its secret, whatever the verb.
func (k APIKeyCreated) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "sdk.APIKeyCreated(%s %s)", k.APIKey.ID, redacted)
}

// LogValue shows the new key without its secret.
func (k APIKeyCreated) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", k.APIKey.ID), slog.String("secret", redacted))
}

// The requests that hold a key show themselves without it, too.

// Format shows the request without its key, whatever the verb.
func (r VerifyRequest) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("sdk.VerifyRequest(" + redacted + ")"))
}

// LogValue shows the request without its key.
func (r VerifyRequest) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format shows the report without its key, whatever the verb.
func (r LeakReport) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("sdk.LeakReport(" + redacted + ")"))
}

// LogValue shows the report without its key.
func (r LeakReport) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format shows the token's namespace and end, and not the token, whatever the verb.
func (t Token) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "sdk.Token(%s %s until %s %s)", t.Namespace, t.Access, t.ExpiresAt, redacted)
}

// LogValue shows the token's namespace and end, and not the token.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("namespace", t.Namespace), slog.Time("expires_at", t.ExpiresAt), slog.String("token", redacted))
}
