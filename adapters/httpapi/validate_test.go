package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/go-chi/chi/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
)

// theContract is read once for all tests of its checks.
var theContract = sync.OnceValue(func() contract { return must(loadContract(api.Document)) })

// checker serves the contract's checks alone: what passes them is answered 200
// with the body that a handler would get.
func checker(t testing.TB) (*bundle, http.Handler) {
	t.Helper()
	s := &Server{contract: theContract(), config: Config{}.withDefaults()}
	router := chi.NewRouter()
	router.Use(s.begin)
	for at := range s.contract {
		router.With(s.identify, s.validate).Method(at.method, at.pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
		}))
	}
	return &bundle{t: t}, router
}

const (
	orgsURL  = "/api/v0/organizations"
	acmeURL  = orgsURL + "/acme"
	usersURL = acmeURL + "/users"
	rolesURL = acmeURL + "/roles"
	keysURL  = acmeURL + "/api-keys"
	flowsURL = acmeURL + "/workflows"
	tokenURL = "/api/v0/auth/token"

	explainURL = "/api/v0/authz/explain"

	opURL = "/api/v0/operations/op_01k9zzzzzzzzzzzzzzzzzzzzzz"

	goodOrg  = `{"slug":"acme","admin":{"email":"ada@acme.example"}}`
	goodFlow = `{"type":"Order","task_queue":"orders"}`
)

func TestValidate(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name, method, target, body string
		want                       string // "pointer rule" of the only broken rule; "" when there is none
	}{
		{"a good body", "POST", orgsURL, goodOrg, ""},
		{"all of a start", "POST", flowsURL, `{"workflow_id":"a/b","type":"T","task_queue":"q","input":[null,1,"x",{"a":[true]}],"execution_timeout_seconds":0,"run_timeout_seconds":315360000}`, ""},
		{"all options of a start", "POST", flowsURL, `{"type":"T","task_queue":"q","task_timeout_seconds":120,"start_delay_seconds":1,"id_reuse_policy":"allow_duplicate","id_conflict_policy":"use_existing","retry_policy":{"backoff_coefficient":1.5,"maximum_attempts":2},"memo":{"a":[1]},"search_attributes":{"A":{"type":"int","value":1}}}`, ""},
		{"a policy that is none", "POST", flowsURL, `{"type":"T","task_queue":"q","id_reuse_policy":"terminate_if_running"}`, "/id_reuse_policy enum"},
		{"a search attribute without a value", "POST", flowsURL, `{"type":"T","task_queue":"q","search_attributes":{"A":{"type":"keyword"}}}`, "/search_attributes/A/value required"},
		{"an empty object where nothing is required", "POST", tokenURL, `{}`, ""},
		{"a date with an offset", "POST", keysURL, `{"name":"ci","expires_at":"2027-01-01T00:00:00.5+02:00"}`, ""},
		{"no body", "POST", usersURL, " ", " required"},
		{"a list for an object", "POST", orgsURL, `[]`, " type"},
		{"null for an object", "POST", orgsURL, `null`, " type"},
		{"a missing field", "POST", orgsURL, `{"admin":{"email":"ada@acme.example"}}`, "/slug required"},
		{"a missing field further in", "POST", orgsURL, `{"slug":"acme","admin":{}}`, "/admin/email required"},
		{"an unknown field", "POST", orgsURL, `{"slug":"acme","admin":{"email":"ada@acme.example"},"namespace":"default"}`, "/namespace unknown"},
		{"an unknown field further in", "POST", orgsURL, `{"slug":"acme","admin":{"email":"ada@acme.example","role":"operator"}}`, "/admin/role unknown"},
		{"a known field in capitals", "POST", usersURL, `{"email":"a@b.c","role":"viewer","Role":"admin"}`, "/Role unknown"},
		{"a number for a string", "POST", orgsURL, `{"slug":1,"admin":{"email":"ada@acme.example"}}`, "/slug type"},
		{"null for a string", "POST", orgsURL, `{"slug":"acme","name":null,"admin":{"email":"ada@acme.example"}}`, "/name type"},
		{"a string for a number", "POST", flowsURL, `{"type":"T","task_queue":"q","run_timeout_seconds":"5"}`, "/run_timeout_seconds type"},
		{"a fraction for an integer", "POST", flowsURL, `{"type":"T","task_queue":"q","run_timeout_seconds":1.5}`, "/run_timeout_seconds type"},
		{"too small a number", "POST", flowsURL, `{"type":"T","task_queue":"q","run_timeout_seconds":-1}`, "/run_timeout_seconds range"},
		{"too large a number", "POST", flowsURL, `{"type":"T","task_queue":"q","run_timeout_seconds":315360001}`, "/run_timeout_seconds range"},
		{"a slug of capitals", "POST", orgsURL, `{"slug":"ACME","admin":{"email":"ada@acme.example"}}`, "/slug format"},
		{"a slug with a new line at its end", "POST", orgsURL, `{"slug":"acme\n","admin":{"email":"ada@acme.example"}}`, "/slug format"},
		{"too long a slug", "POST", orgsURL, `{"slug":"` + strings.Repeat("a", 49) + `","admin":{"email":"ada@acme.example"}}`, "/slug max_length"},
		{"an empty name", "POST", keysURL, `{"name":""}`, "/name min_length"},
		{"too many items", "POST", flowsURL, `{"type":"T","task_queue":"q","input":[` + strings.TrimSuffix(strings.Repeat("1,", 33), ",") + `]}`, "/input max_items"},
		{"an item twice", "POST", keysURL, `{"name":"ci","scopes":["users:read","users:read"]}`, "/scopes unique"},
		{"an item of the wrong type", "POST", keysURL, `{"name":"ci","scopes":["users:read",1]}`, "/scopes/1 type"},
		{"a role that can be none", "POST", usersURL, `{"email":"a@b.c","role":"No Role"}`, "/role format"},
		{"a date that is none", "POST", keysURL, `{"name":"ci","expires_at":"2027-02-30T00:00:00Z"}`, "/expires_at format"},
		{"a date without a time", "POST", keysURL, `{"name":"ci","expires_at":"2027-02-03"}`, "/expires_at format"},
		{"a leap second, which Go can not hold", "POST", keysURL, `{"name":"ci","expires_at":"2026-12-31T23:59:60Z"}`, "/expires_at format"},
		{"a name twice", "POST", orgsURL, `{"slug":"a1","slug":"b1","admin":{"email":"ada@acme.example"}}`, "/slug duplicate"},
		{"a number beyond all", "POST", flowsURL, `{"type":"T","task_queue":"q","input":[1e999999]}`, "/input/0 range"},
		{"an escaped NUL deep in an input", "POST", flowsURL, `{"type":"T","task_queue":"q","input":[{"a":"\u0000"}]}`, "/input/0/a characters"},

		{"an id for an organization", "GET", orgsURL + "/org_01k9zzzzzzzzzzzzzzzzzzzzzz", "", ""},
		{"capitals in a path", "GET", orgsURL + "/ACME", "", "org format"},
		{"a NUL in a path", "GET", orgsURL + "/ac%00me", "", "org characters"},
		{"bytes in a path that are not UTF-8", "GET", flowsURL + "/%ff", "", "workflow_id encoding"},
		{"a NUL in a workflow id", "GET", flowsURL + "/a%00b", "", "workflow_id characters"},
		{"a NUL beside an encoded slash", "GET", flowsURL + "/a%2F%00", "", "workflow_id characters"},
		{"an encoded slash in an organization", "GET", orgsURL + "/a%2Fb", "", "org format"},
		{"dots for an organization", "GET", orgsURL + "/..%2f..%2fb/users", "", "org format"},
		{"an empty organization", "GET", orgsURL + "//users", "", "org min_length,org format"},
		{"an empty workflow id", "GET", flowsURL + "//result", "", "workflow_id min_length"},
		{"too long an organization", "GET", orgsURL + "/" + strings.Repeat("a", 65), "", "org max_length"},
		{"too long a workflow id", "GET", flowsURL + "/" + strings.Repeat("é", 256), "", "workflow_id max_length"},
		{"the longest workflow id", "GET", flowsURL + "/" + strings.Repeat("a", 255), "", ""},
		{"an id of another kind", "GET", usersURL + "/key_01k9zzzzzzzzzzzzzzzzzzzzzz", "", "user format"},
		{"a UUID", "GET", usersURL + "/01890000-0000-7000-8000-000000000000", "", "user format"},

		{"a limit", "GET", orgsURL + "?limit=200", "", ""},
		{"too small a limit", "GET", orgsURL + "?limit=0", "", "limit range"},
		{"too large a limit", "GET", orgsURL + "?limit=201", "", "limit range"},
		{"a limit beyond int32", "GET", orgsURL + "?limit=99999999999999999999", "", "limit range"},
		{"a limit beyond a float64", "GET", orgsURL + "?limit=" + strings.Repeat("9", 400), "", "limit type"},
		{"a limit that is no number", "GET", orgsURL + "?limit=ten", "", "limit type"},
		{"an empty limit", "GET", orgsURL + "?limit=", "", "limit type"},
		{"a limit with a plus", "GET", orgsURL + "?limit=%2B5", "", "limit type"},
		{"a limit with leading zeros", "GET", orgsURL + "?limit=05", "", "limit type"},
		{"a fraction of a limit", "GET", orgsURL + "?limit=5.0", "", "limit type"},
		{"a limit twice", "GET", orgsURL + "?limit=5&limit=6", "", "limit repeated"},
		{"an empty cursor", "GET", orgsURL + "?cursor=", "", "cursor format"},
		{"a cursor with a NUL", "GET", orgsURL + "?cursor=a%00", "", "cursor characters"},
		{"a cursor that is not UTF-8", "GET", orgsURL + "?cursor=%ff", "", "cursor encoding"},
		{"too long a cursor", "GET", orgsURL + "?cursor=" + strings.Repeat("a", 129), "", "cursor max_length"},
		{"an unknown parameter", "GET", orgsURL + "?offset=5", "", "offset unknown"},
		{"a known parameter in capitals", "GET", orgsURL + "?Limit=5", "", "Limit unknown"},
		{"an unknown parameter where there are none", "GET", "/livez?verbose", "", "verbose unknown"},
		{"a token in the query", "GET", "/api/v0/auth/whoami?access_token=x", "", "access_token unknown"},
		{"a query on a POST", "POST", orgsURL + "?dry_run=1", goodOrg, "dry_run unknown"},
		{"a query that is not percent-encoded", "GET", orgsURL + "?limit=%zz", "", "query encoding"},
		{"a query with semicolons", "GET", orgsURL + "?limit=1;limit=2", "", "query encoding"},
		{"a negative wait", "GET", opURL + "?wait=-1", "", "wait range"},
		{"too long a wait", "GET", opURL + "?wait=61", "", "wait range"},
		{"a run id in capitals", "GET", flowsURL + "/a?run_id=ABCDEF00-0000-0000-0000-000000000000", "", "run_id format"},
		{"a body where there is none", "GET", orgsURL, `{}`, " unknown"},
		{"a body for a revocation", "POST", keysURL + "/key_01k9zzzzzzzzzzzzzzzzzzzzzz/revoke", `{}`, " unknown"},
	} {
		t.Run("Should judge "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b, h := checker(t)

			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(c.method, c.target, "", c.body))
			if c.want == "" {
				is.Equal(w.Code, http.StatusOK)
				is.Equal(w.Body.String(), c.body) // a handler gets the body whole
				return
			}
			p := b.problem(w)
			is.Equal(w.Code, http.StatusBadRequest)
			var got []string
			for _, f := range *p.Fields {
				got = append(got, f.Pointer+" "+f.Rule)
				is.True(f.Detail != "")
			}
			is.Equal(strings.Join(got, ","), c.want)
		})
	}

	t.Run("Should name every broken rule at once, in words, without the values", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, h := checker(t)

		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("POST", orgsURL, "", `{"slug":"hunter2-SECRET","x":"hunter2","y~/":1,"admin":{"email":"","name":7}}`))
		var got []string
		for _, f := range *b.problem(w).Fields {
			got = append(got, f.Pointer+": "+f.Detail)
		}
		is.Equal(strings.Join(got, "\n"), strings.Join([]string{
			"/admin/email: must have at least 3 characters",
			"/admin/name: must be a string",
			"/slug: does not have the right form: a short unique name of lower-case letters, digits and single hyphens",
			"/x: is not known here",
			"/y~0~1: is not known here",
		}, "\n"))
		is.True(!strings.Contains(w.Body.String(), "hunter2"))
	})

	t.Run("Should judge the longest bodies in linear time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, h := checker(t)
		// Were the work quadratic, these would take hours: the test's own time limit tells.
		var names strings.Builder
		for i := range 80_000 {
			fmt.Fprintf(&names, `"k%d":0,`, i)
		}
		for url, body := range map[string]string{
			orgsURL:                    "{" + names.String() + `"last":0}`,
			orgsURL + "/acme/api-keys": `{"name":"n","scopes":[` + strings.Repeat("1,", 400_000) + `1]}`,
		} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request("POST", url, "", body))
			is.Equal(w.Code, http.StatusBadRequest)
			is.True(len(*b.problem(w).Fields) <= maxProblemFields)
		}
	})

	t.Run("Should name what a parameter is to those who got it wrong", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, h := checker(t)

		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("GET", usersURL+"/7", "", ""))
		is.Equal((*b.problem(w).Fields)[0].Detail, "does not have the right form: the user's id")
	})

	for name, c := range map[string]struct {
		headers map[string][]string
		want    int
	}{
		"JSON":                        {map[string][]string{"Content-Type": {"application/json"}}, 200},
		"JSON in UTF-8":               {map[string][]string{"Content-Type": {"Application/JSON; charset=UTF-8"}}, 200},
		"no content coding by name":   {map[string][]string{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, 200},
		"no type":                     {nil, 415},
		"a form":                      {map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}, 415},
		"text":                        {map[string][]string{"Content-Type": {"text/plain"}}, 415},
		"another sort of JSON":        {map[string][]string{"Content-Type": {"application/merge-patch+json"}}, 415},
		"another character set":       {map[string][]string{"Content-Type": {"application/json; charset=utf-16"}}, 415},
		"no media type":               {map[string][]string{"Content-Type": {"json/"}}, 415},
		"two types":                   {map[string][]string{"Content-Type": {"application/json", "text/plain"}}, 415},
		"JSON that says it is a gzip": {map[string][]string{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, 415},
	} {
		t.Run(fmt.Sprintf("Should answer %d to a body as %s", c.want, name), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, h := checker(t)

			r := httptest.NewRequest(http.MethodPost, orgsURL, strings.NewReader(goodOrg))
			r.Header = c.headers
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			is.Equal(w.Code, c.want)
		})
	}

	for _, c := range []struct {
		name string
		body io.Reader
		want int
		code string
	}{
		{"of the most bytes there may be", strings.NewReader(padded(1 << 20)), 200, ""},
		{"of one byte more", strings.NewReader(padded(1<<20 + 1)), 413, "request.too_large"},
		{"of one byte more, without a length", io.MultiReader(strings.NewReader(padded(1<<20 + 1))), 413, "request.too_large"},
		{"that breaks off", io.MultiReader(strings.NewReader(`{"slug"`), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "request.body_incomplete"},
		{"that does not come", iotest.ErrReader(os.ErrDeadlineExceeded), 408, "request.too_slow"},
	} {
		t.Run("Should answer "+strconv.Itoa(c.want)+" to a body "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b, h := checker(t)

			r := httptest.NewRequest(http.MethodPost, orgsURL, c.body)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			is.Equal(w.Code, c.want)
			if c.code != "" {
				is.Equal(b.problem(w).Code, c.code)
			}
		})
	}

	for name, c := range map[string]struct {
		body    io.Reader
		headers map[string][]string
		want    int
		code    string
	}{
		"none":                               {nil, nil, 200, ""},
		"none, of no length that is known":   {io.MultiReader(strings.NewReader("")), nil, 200, ""},
		"an object":                          {strings.NewReader(`{}`), map[string][]string{"Content-Type": {"application/json"}}, 200, ""},
		"bytes that nobody says are JSON":    {strings.NewReader(`{}`), nil, 415, "request.media_type"},
		"such bytes, of no length":           {io.MultiReader(strings.NewReader(`{}`)), nil, 415, "request.media_type"},
		"another media type":                 {strings.NewReader(`{}`), map[string][]string{"Content-Type": {"text/plain"}}, 415, "request.media_type"},
		"another media type, and no byte":    {nil, map[string][]string{"Content-Type": {"text/plain"}}, 415, "request.media_type"},
		"an empty media type, and no byte":   {nil, map[string][]string{"Content-Type": {""}}, 415, "request.media_type"},
		"two media types, and no byte":       {nil, map[string][]string{"Content-Type": {"application/json", "application/json"}}, 415, "request.media_type"},
		"a content coding, and no byte":      {nil, map[string][]string{"Content-Encoding": {"gzip"}}, 415, "request.media_type"},
		"JSON, and no byte":                  {nil, map[string][]string{"Content-Type": {"application/json"}}, 400, "request.invalid"},
		"a space, which nobody says is JSON": {strings.NewReader(" "), nil, 415, "request.media_type"},
		"what does not come":                 {iotest.ErrReader(os.ErrDeadlineExceeded), nil, 408, "request.too_slow"},
	} {
		t.Run(fmt.Sprintf("Should answer %d where no body need be sent to %s", c.want, name), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b, h := checker(t)

			r := httptest.NewRequest(http.MethodPost, tokenURL, c.body)
			r.Header = c.headers
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			is.Equal(w.Code, c.want)
			if c.code == "" {
				is.Equal(w.Body.String(), "{}") // what the handler gets
			} else {
				is.Equal(b.problem(w).Code, c.code)
			}
		})
	}

	for at, e := range theContract() {
		if e.body == nil || at.method != http.MethodPost {
			continue
		}
		t.Run("Should require a body if, and only if, something must stand in it: "+e.id, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			is.Equal(e.bodyRequired, len(broken(e.body, map[string]any{}, "", "")) > 0)
		})
	}

	t.Run("Should see a body in chunks where there is none to be", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, h := checker(t)

		for body, want := range map[string]int{"": 200, "x": 400} {
			r := httptest.NewRequest(http.MethodGet, "/livez", io.MultiReader(strings.NewReader(body)))
			is.Equal(r.ContentLength, int64(-1)) // its length is not known
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			is.Equal(w.Code, want)
			if want != 200 {
				is.Equal(b.problem(w).Code, "request.unexpected_body")
			}
		}
	})

	t.Run("Should refuse a header that stands twice or is too long", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, h := checker(t)

		for want, values := range map[string][]string{
			"Prefer repeated": {"wait=1", "wait=2"}, "Prefer max_length": {strings.Repeat("a", 257)}, "Prefer encoding": {"\xff"},
		} {
			r := request("POST", orgsURL, "", goodOrg)
			r.Header["Prefer"] = values
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			is.Equal(field(b.problem(w)), want)
		}
	})
}

// padded is a good body of exactly n bytes.
func padded(n int) string { return goodOrg + strings.Repeat(" ", n-len(goodOrg)) }

func TestLoadContract(t *testing.T) {
	t.Parallel()

	for name, change := range map[string][2]string{
		"a document that is none":            {"openapi: 3.0.3", "openapi: ["},
		"a document that breaks its own":     {"operationId: getVersion", "operationId: getLiveness"},
		"a parameter that is not understood": {"schema: {type: string, maxLength: 256}", "schema: {type: number}"},
		"a place that is not understood":     {"name: Prefer\n      in: header", "name: Prefer\n      in: cookie"},
		"a body that is not understood":      {"requestBody:\n        required: true\n        content:\n          application/json", "requestBody:\n        required: true\n        content:\n          text/plain"},
	} {
		t.Run("Should refuse "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			changed := strings.Replace(string(api.Document), change[0], change[1], 1)
			is.True(changed != string(api.Document)) // the test changes something
			_, err := loadContract([]byte(changed))
			is.True(err != nil)
		})
	}
}
