package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
)

// deprecating returns the document with more said about getVersion.
func deprecating(lines ...string) []byte {
	const operation = "      operationId: getVersion\n"
	return []byte(strings.Replace(string(api.Document), operation, operation+"      "+strings.Join(lines, "\n      ")+"\n", 1))
}

func TestDeprecation(t *testing.T) {
	t.Parallel()

	t.Run("Should announce what is to go, and when, with every answer of the operation", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.server.contract = must(loadContract(deprecating("deprecated: true", "x-deprecated-since: '2026-11-26'", "x-sunset: '2027-06-30'")))

		for _, target := range []string{"/version", "/version?unknown=1"} { // a problem, too
			h := b.do(request("GET", target, "", "")).Header()
			is.Equal(h.Get("Deprecation"), "@1795651200")
			is.Equal(h.Get("Sunset"), "Wed, 30 Jun 2027 00:00:00 GMT")
			is.Equal(h.Get("Link"), `</docs#getVersion>; rel="deprecation"; type="text/html"`)
		}
		is.Equal(b.do(request("GET", "/livez", "", "")).Header()["Deprecation"], nil) // no other's
	})

	t.Run("Should announce no end that is not known", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.server.contract = must(loadContract(deprecating("deprecated: true", "x-deprecated-since: '2026-11-26'")))

		h := b.do(request("GET", "/version", "", "")).Header()
		is.Equal(h.Get("Deprecation"), "@1795651200")
		is.Equal(h["Sunset"], nil)
	})

	for name, lines := range map[string][]string{
		"without a date":               {"deprecated: true"},
		"with a date that is none":     {"deprecated: true", "x-deprecated-since: soon"},
		"that is not deprecated":       {"x-deprecated-since: '2026-11-26'"},
		"with an end and no beginning": {"x-sunset: '2026-11-26'"},
		"that ends before it began":    {"deprecated: true", "x-deprecated-since: '2026-11-26'", "x-sunset: '2026-11-25'"},
	} {
		t.Run("Should refuse a document with a deprecation "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := loadContract(deprecating(lines...))
			is.True(err != nil)
		})
	}
}

func TestTransportSecurity(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, peer, proto string
		strict            bool
	}{
		{"a trusted proxy that was spoken to by TLS", "10.0.0.1:1234", "https", true},
		{"a trusted proxy that was not", "10.0.0.1:1234", "http", false},
		{"a trusted proxy that does not say", "10.0.0.1:1234", "", false},
		{"somebody else who says so", "192.0.2.1:1234", "https", false},
	} {
		t.Run("Should ask for TLS alone only where there is TLS: "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t)
			b.server.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			r := request(http.MethodGet, "/livez", "", "")
			r.RemoteAddr = c.peer
			if c.proto != "" {
				r.Header.Set("X-Forwarded-Proto", c.proto)
			}
			is.Equal(b.do(r).Header().Get("Strict-Transport-Security") != "", c.strict)
		})
	}
}
