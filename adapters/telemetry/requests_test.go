package telemetry_test

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

// whole is a request of which all is known.
var whole = ports.Request{
	At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 1500 * time.Microsecond, ID: "r1", Method: "GET",
	Route: "/api/v0/organizations/{org}", Status: 404, Bytes: 123, IP: netip.MustParseAddr("192.0.2.1"),
	Org: id.SystemOrg, Key: id.New[id.APIKeyKind](), ClientID: "theirs", Code: "not_found",
}

func logged(t testing.TB, level slog.Level, rs ...ports.Request) string {
	t.Helper()
	out := &kept{}
	b := telemetry.NewBuffer(out)
	l := telemetry.NewRequestLog(b, level)
	for _, r := range rs {
		l.Request(r)
	}
	b.Flush()
	return out.String()
}

func TestRequestLog(t *testing.T) {
	t.Parallel()

	t.Run("Should write what a record of the log would be", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		text := logged(t, slog.LevelInfo, whole)
		is.Equal(text, `{"time":"2026-01-02T03:04:05.0015Z","level":"INFO","msg":"request","request_id":"r1","method":"GET",`+
			`"route":"/api/v0/organizations/{org}","status":404,"bytes":123,"duration_us":1500,"ip":"192.0.2.1",`+
			`"organization_id":"`+id.SystemOrg.String()+`","api_key_id":"`+whole.Key.String()+`","client_request_id":"theirs","code":"not_found"}`+"\n")
		is.True(json.Valid([]byte(text)))
	})

	t.Run("Should leave out what is not known", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var got map[string]any
		is.NoErr(json.Unmarshal([]byte(logged(t, slog.LevelInfo, ports.Request{At: whole.At})), &got))
		for _, name := range []string{"organization_id", "api_key_id", "client_request_id", "code"} {
			_, there := got[name]
			is.True(!there)
		}
		is.Equal(got["ip"], "") // of no address
	})

	t.Run("Should show no secret, and be JSON whatever a client chose", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, theirs := range []string{
			"bhk_0123456789ABCDEFGHIJabcdefghij", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJrZXkifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
			"a\"b\\c\nd\x00é\xff",
		} {
			r := whole
			r.ClientID = theirs
			text := logged(t, slog.LevelInfo, r)
			is.True(json.Valid([]byte(text)))
			is.Equal(strings.Count(text, "\n"), 1)
			is.True(!strings.Contains(text, theirs))
		}
	})

	t.Run("Should heed the level", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		probe := whole
		probe.Probe = true
		is.Equal(logged(t, slog.LevelInfo, probe), "")
		is.True(strings.Contains(logged(t, slog.LevelDebug, probe), `"level":"DEBUG"`))
		is.Equal(logged(t, slog.LevelWarn, whole, probe), "")
	})
}

// BenchmarkRequestLog is the price of a request's line: here, and as a record.
func BenchmarkRequestLog(b *testing.B) {
	b.Run("line", func(b *testing.B) {
		l := telemetry.NewRequestLog(telemetry.NewBuffer(&nowhere{}), slog.LevelInfo)
		b.ReportAllocs()
		for b.Loop() {
			l.Request(whole)
		}
	})
	b.Run("record", func(b *testing.B) {
		log := telemetry.NewLogger(&nowhere{}, slog.LevelInfo, telemetry.JSON)
		b.ReportAllocs()
		for b.Loop() {
			log.LogAttrs(b.Context(), slog.LevelInfo, "request",
				slog.String("request_id", whole.ID), slog.String("method", whole.Method), slog.String("route", whole.Route),
				slog.Int("status", whole.Status), slog.Int64("bytes", whole.Bytes), slog.Int64("duration_us", whole.Took.Microseconds()),
				slog.String("ip", whole.IP.String()), slog.String("organization_id", whole.Org.String()),
				slog.String("api_key_id", whole.Key.String()), slog.String("client_request_id", whole.ClientID), slog.String("code", whole.Code))
		}
	})
}

// nowhere is not io.Discard, for which slog would skip the work.
type nowhere struct{}

func (*nowhere) Write(b []byte) (int, error) { return len(b), nil }
