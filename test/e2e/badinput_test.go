package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/contract"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// badInput is a request that breaks one rule, and how it is to be answered.
type badInput struct {
	name    string
	method  string
	path    string
	body    string
	header  func(http.Header)
	status  int
	pointer string // of the broken rule; "" when the code says it all
	rule    string // or the code, when pointer is ""
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	tenant := s.NewTenant(t, "acme")
	const orgs, users = "/api/v0/organizations", "/api/v0/organizations/acme/users"
	valid := `{"slug":"fresh","admin":{"email":"a@fresh.example"}}`
	user := func(email string) string { return `{"email":"` + email + `","role":"viewer"}` }
	two := func(h http.Header) { h.Add("Authorization", h.Get("Authorization")) }
	media := func(m string) func(http.Header) { return func(h http.Header) { h.Set("Content-Type", m) } }

	for _, in := range []badInput{
		{"an unknown field", "POST", orgs, `{"slug":"fresh","admin":{"email":"a@b.example"},"role":"operator"}`, nil, 400, "/role", "unknown"},
		{"an unknown field inside", "POST", orgs, `{"slug":"fresh","admin":{"email":"a@b.example","role":"operator"}}`, nil, 400, "/admin/role", "unknown"},
		{"a field in another case", "POST", orgs, `{"slug":"fresh","Slug":"other","admin":{"email":"a@b.example"}}`, nil, 400, "/Slug", "unknown"},
		{"a field twice", "POST", orgs, `{"slug":"fresh","slug":"other","admin":{"email":"a@b.example"}}`, nil, 400, "/slug", "duplicate"},
		{"a missing field", "POST", orgs, `{"slug":"fresh"}`, nil, 400, "/admin", "required"},
		{"a number for a text", "POST", orgs, `{"slug":7,"admin":{"email":"a@b.example"}}`, nil, 400, "/slug", "type"},
		{"null for a text", "POST", orgs, `{"slug":null,"admin":{"email":"a@b.example"}}`, nil, 400, "/slug", "type"},
		{"a list for an object", "POST", orgs, `[]`, nil, 400, "", "type"},
		{"a slug in upper case", "POST", orgs, `{"slug":"Fresh","admin":{"email":"a@b.example"}}`, nil, 400, "/slug", "format"},
		{"a reserved slug", "POST", orgs, `{"slug":"system","admin":{"email":"a@b.example"}}`, nil, 400, "/slug", "reserved"},
		{"a slug that is too long", "POST", orgs, `{"slug":"` + strings.Repeat("a", 49) + `","admin":{"email":"a@b.example"}}`, nil, 400, "/slug", "max_length"},
		{"a taken slug", "POST", orgs, `{"slug":"acme","admin":{"email":"a@b.example"}}`, nil, 409, "", "org.slug_taken"},
		{"no e-mail address", "POST", orgs, `{"slug":"fresh","admin":{"email":"nobody"}}`, nil, 400, "/admin/email", "format"},
		{"a taken e-mail address", "POST", users, user("ADMIN@acme.example"), nil, 409, "", "user.email_taken"},
		{"a role that does not exist", "POST", users, `{"email":"a@b.example","role":"root"}`, nil, 400, "/role", "exists"},
		{"an operator in a tenant", "POST", users, `{"email":"a@b.example","role":"operator"}`, nil, 400, "", "user.operator_outside"},
		{"a NUL", "POST", users, user("a\\u0000@b.example"), nil, 400, "/email", "characters"},
		{"a raw NUL", "POST", users, user("a\x00@b.example"), nil, 400, "/email", "characters"},
		{"bad UTF-8", "POST", users, user("a\xff@b.example"), nil, 400, "", "encoding"},
		{"half a surrogate pair", "POST", users, user(`a\ud800@b.example`), nil, 400, "/email", "encoding"},
		{"two values", "POST", orgs, valid + valid, nil, 400, "", "trailing"},
		{"no value", "POST", orgs, "", nil, 400, "", "required"},
		{"no JSON", "POST", orgs, "slug=fresh", nil, 400, "", "syntax"},
		{"JSON that ends early", "POST", orgs, valid[:20], nil, 400, "", "syntax"},
		{"two megabytes", "POST", orgs, `{"slug":"` + strings.Repeat("a", 2<<20) + `"}`, nil, 413, "", "request.too_large"},
		{"a hundred levels", "POST", orgs, strings.Repeat(`{"admin":`, 100) + "1" + strings.Repeat("}", 100), nil, 400, "*", "depth"},
		{"a number beyond all bounds", "POST", orgs + "/acme/workflows", `{"type":"T","task_queue":"q","run_timeout_seconds":1e999999}`, nil, 400, "/run_timeout_seconds", "*"},
		{"a form", "POST", orgs, valid, media("application/x-www-form-urlencoded"), 415, "", "request.media_type"},
		{"no content type", "POST", orgs, valid, media(""), 415, "", "request.media_type"},
		{"two credentials", "GET", orgs, "", two, 400, "Authorization", "repeated"},
		{"a malformed organization", "GET", orgs + "/Not%20An%20Id", "", nil, 400, "org", "format"},
		{"a NUL in the path", "GET", orgs + "/ac%00me", "", nil, 400, "org", "*"},
		{"a malformed user", "GET", users + "/usr_1", "", nil, 400, "user", "format"},
		{"the id of another kind", "GET", users + "/" + tenant.Org.ID, "", nil, 400, "user", "format"},
		{"a malformed cursor", "GET", users + "?cursor=abc", "", nil, 400, "", "request.cursor_invalid"},
		{"a limit beyond the bounds", "GET", users + "?limit=201", "", nil, 400, "limit", "range"},
		{"a limit that is no number", "GET", users + "?limit=ten", "", nil, 400, "limit", "type"},
		{"a parameter twice", "GET", users + "?limit=1&limit=2", "", nil, 400, "limit", "repeated"},
		{"an unknown parameter", "GET", users + "?colour=red", "", nil, 400, "colour", "unknown"},
		{"an unknown path", "GET", "/api/v0/nothing", "", nil, 404, "", "request.no_route"},
		{"a wrong method", "DELETE", orgs, "", nil, 405, "", "request.method_not_allowed"},
	} {
		t.Run("Should refuse "+in.name+" and say which rule it breaks", func(t *testing.T) {
			is := is.New(t)
			req, err := http.NewRequestWithContext(t.Context(), in.method, s.URL+in.path, strings.NewReader(in.body))
			is.NoErr(err)
			req.Header.Set("Authorization", "Bearer "+s.OperatorKey)
			if in.method == http.MethodPost {
				req.Header.Set("Content-Type", "application/json")
			}
			if in.header != nil {
				in.header(req.Header)
			}
			res, err := contract.Client(t).Do(req)
			is.NoErr(err)
			raw, err := io.ReadAll(res.Body)
			is.NoErr(err)
			is.NoErr(res.Body.Close())
			is.Equal(res.StatusCode, in.status)
			is.Equal(res.Header.Get("Content-Type"), "application/problem+json")
			var p sdk.Problem
			is.NoErr(json.Unmarshal(raw, &p))
			is.Equal(int(p.Status), in.status)
			is.True(p.RequestID != "")
			if in.pointer == "" && (in.rule == p.Code || len(p.Fields) == 0) {
				is.Equal(p.Code, in.rule)
				return
			}
			is.Equal(len(p.Fields), 1) // one rule is broken, one is named
			if in.pointer != "*" {
				is.Equal(p.Fields[0].Pointer, in.pointer)
			}
			if in.rule != "*" {
				is.Equal(p.Fields[0].Rule, in.rule)
			}
		})
	}

	t.Run("Should have left nothing behind", func(t *testing.T) {
		is := is.New(t)
		conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
		is.NoErr(err)
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
		var organizations, people, operations int
		is.NoErr(conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM organizations), (SELECT count(*) FROM users),
			(SELECT count(*) FROM operations)`).Scan(&organizations, &people, &operations))
		is.Equal([]int{organizations, people, operations}, []int{2, 2, 1}) // the system's, and acme
	})
}
