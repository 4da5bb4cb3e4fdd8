package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// testKey does not have the form of a key, so that nobody who scans for lost ones
// is alarmed.
const testKey = "bhk_key-of-the-tests"

// pauses are what a client would have waited for.
type pauses []time.Duration

// newTestClient returns a client of a server that answers by h, and the pauses
// it makes, which take no time.
func newTestClient(t *testing.T, h http.HandlerFunc) (*Client, *pauses) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return clientOf(t, s.URL)
}

func clientOf(t *testing.T, url string) (*Client, *pauses) {
	t.Helper()
	c, err := New(Config{URL: url, APIKey: testKey, UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	var made pauses
	c.sleep = func(ctx context.Context, d time.Duration) error {
		made = append(made, d)
		return ctx.Err()
	}
	c.jitter = func() float64 { return 0 }
	return c, &made
}

func answer(w http.ResponseWriter, status int, body string) {
	media := "application/json"
	if status >= 400 {
		media = "application/problem+json"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

const problemBody = `{"type":"about:blank","title":"Conflict","status":409,"code":"org.slug_taken",` +
	`"detail":"The slug is already in use.","request_id":"req_1",` +
	`"fields":[{"pointer":"/slug","rule":"unique","detail":"is in use"}]}`

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "bulkhead.example", "ftp://bulkhead.example", "http://", "http://me:secret@host", "http://host?x=1"} {
		t.Run("Should refuse the URL "+bad, func(t *testing.T) {
			is := is.New(t)
			_, err := New(Config{URL: bad, APIKey: testKey})
			is.True(err != nil)
			is.True(!strings.Contains(err.Error(), "secret")) // credentials must not be repeated
		})
	}
	t.Run("Should refuse a key with a line break without showing it", func(t *testing.T) {
		is := is.New(t)
		_, err := New(Config{URL: "http://host", APIKey: testKey + "\n"})
		is.True(err != nil)
		is.True(!strings.Contains(err.Error(), testKey))
	})
	t.Run("Should tell an address that is empty from one that is wrong", func(t *testing.T) {
		is := is.New(t)
		_, err := New(Config{APIKey: testKey})
		is.True(strings.HasPrefix(err.Error(), "Config.URL is empty (is BULKHEAD_URL set?)"))
	})
	t.Run("Should tell a placeholder from a key that was pasted badly", func(t *testing.T) {
		is := is.New(t)
		for key, placeholder := range map[string]bool{"bhk_…": true, "bhk_é": true, testKey + "\u00a0": false, testKey + " ": false} {
			_, err := New(Config{URL: "http://host", APIKey: key})
			is.Equal(strings.Contains(err.Error(), "looks like a placeholder"), placeholder)
			is.True(!strings.Contains(err.Error(), "bhk_"))
		}
	})
	t.Run("Should say that there is no key when the API wants one", func(t *testing.T) {
		is := is.New(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 401, `{"code":"auth.unauthenticated","detail":"A valid API key is required."}`)
		}))
		t.Cleanup(s.Close)
		c, err := New(Config{URL: s.URL})
		is.NoErr(err) // health, version and key set need none
		_, err = c.Whoami(t.Context())
		is.True(strings.HasPrefix(err.Error(), "Config.APIKey is empty"))
		is.True(IsUnauthenticated(err))
	})
	t.Run("Should keep the path of the URL and drop the last slash", func(t *testing.T) {
		is := is.New(t)
		c, err := New(Config{URL: "https://host/bulkhead/"})
		is.NoErr(err)
		is.Equal(c.URL(), "https://host/bulkhead")
	})
}

func TestRequest(t *testing.T) {
	t.Parallel()
	t.Run("Should send the key, the agent and the escaped parts of the path", func(t *testing.T) {
		is := is.New(t)
		var got *http.Request
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			answer(w, 200, `{"workflow_id":"a/b?c","run_id":"r","status":"running"}`)
		})
		_, err := c.WorkflowResult(t.Context(), "acme", "a/b?c", "run", 1500*time.Millisecond)
		is.NoErr(err)
		is.Equal(got.RequestURI, "/api/v0/organizations/acme/workflows/a%2Fb%3Fc/result?run_id=run&wait=2")
		is.Equal(got.Header.Get("Authorization"), "Bearer "+testKey)
		is.True(strings.HasPrefix(got.UserAgent(), "test/1 bulkhead-sdk-go"))
	})
	for _, id := range []string{"", ".", ".."} {
		t.Run(fmt.Sprintf("Should not send %q, whose address is that of something else", id), func(t *testing.T) {
			is := is.New(t)
			c, _ := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
			_, err := c.User(t.Context(), "acme", id)
			is.True(err != nil)
		})
	}
	t.Run("Should leave absent fields out of the body", func(t *testing.T) {
		is := is.New(t)
		var body bytes.Buffer
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = body.ReadFrom(r.Body)
			answer(w, 201, `{}`)
		})
		_, err := c.CreateAPIKey(t.Context(), "acme", APIKeyCreate{Name: "ci", UserID: "usr_1"})
		is.NoErr(err)
		is.Equal(body.String(), `{"name":"ci","user_id":"usr_1"}`) // a zero expires_at would be a date in the past
	})
	t.Run("Should not follow a redirect, which would carry the key away", func(t *testing.T) {
		is := is.New(t)
		var asked atomic.Int32
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		})
		_, err := c.Whoami(t.Context())
		is.Equal(asked.Load(), int32(1))
		is.True(hasStatus(err, http.StatusTemporaryRedirect))
	})
	t.Run("Should refuse an answer that is too long", func(t *testing.T) {
		is := is.New(t)
		c, made := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"version":"`+strings.Repeat("x", 1000)+`"}`)
		})
		c.maxAnswer = 100
		_, err := c.Version(t.Context())
		is.True(errors.Is(err, errTooLarge))
		is.Equal(len(*made), 0) // and not ask for it again
	})
}

func TestProblems(t *testing.T) {
	t.Parallel()
	t.Run("Should decode a problem", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 409, problemBody) })
		_, err := c.CreateOrganization(t.Context(), OrganizationCreate{Slug: "acme"}, 0)
		problem, ok := errors.AsType[*Error](err)
		is.True(ok)
		is.Equal(*problem, Error{
			Status: 409, Code: "org.slug_taken", Detail: "The slug is already in use.", RequestID: "req_1",
			Fields: []ProblemField{{Pointer: "/slug", Rule: "unique", Detail: "is in use"}},
		})
		is.True(IsConflict(err))
		is.Equal(err.Error(), "The slug is already in use. (409 org.slug_taken); /slug: is in use [request req_1]")
	})
	t.Run("Should describe an answer that is no problem document", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<h1>nginx</h1>")
		})
		_, err := c.Whoami(t.Context())
		is.True(IsNotFound(err))
		is.Equal(err.Error(), "The server answered 404 Not Found. (404)")
	})
	t.Run("Should read both forms of Retry-After", func(t *testing.T) {
		is := is.New(t)
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		is.Equal(retryAfter("7", now), 7*time.Second)
		is.Equal(retryAfter("Tue, 01 Jan 2030 00:00:09 GMT", now), 9*time.Second)
		is.Equal(retryAfter("Mon, 31 Dec 2029 00:00:00 GMT", now), time.Duration(0))
		is.Equal(retryAfter("-7", now), time.Duration(0))
		is.Equal(retryAfter("soon", now), time.Duration(0))
	})
	t.Run("Should keep the key out of an error that repeats it", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			said := r.Header.Get("Authorization")
			answer(w, 400, fmt.Sprintf(`{"code":"x","detail":%q,"request_id":%[1]q,"fields":[{"pointer":%[1]q,"rule":%[1]q,"detail":%[1]q}]}`, said))
		})
		_, err := c.Whoami(t.Context())
		is.True(!strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), testKey))
	})
}

func TestRetries(t *testing.T) {
	t.Parallel()
	failing := func(times int32, status int, header ...string) (http.HandlerFunc, *atomic.Int32) {
		var asked atomic.Int32
		return func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) > times {
				answer(w, 200, `{}`)
				return
			}
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			answer(w, status, `{"code":"x","detail":"no"}`)
		}, &asked
	}
	for _, status := range []int{502, 503, 504} {
		t.Run(fmt.Sprintf("Should repeat a read after %d, with growing pauses", status), func(t *testing.T) {
			is := is.New(t)
			h, asked := failing(3, status)
			c, made := newTestClient(t, h)
			_, err := c.Whoami(t.Context())
			is.NoErr(err)
			is.Equal(asked.Load(), int32(4))
			is.Equal(*made, pauses{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond})
		})
	}
	t.Run("Should give up after the retries", func(t *testing.T) {
		is := is.New(t)
		h, asked := failing(100, 503)
		c, _ := newTestClient(t, h)
		_, err := c.Whoami(t.Context())
		is.True(hasStatus(err, 503))
		is.Equal(asked.Load(), int32(1+defaultRetries))
	})
	t.Run("Should wait as long as the server says", func(t *testing.T) {
		is := is.New(t)
		h, _ := failing(1, 429, "Retry-After", "7")
		c, made := newTestClient(t, h)
		_, err := c.Whoami(t.Context())
		is.NoErr(err)
		is.Equal(*made, pauses{7 * time.Second})
	})
	t.Run("Should say what it waits for, and for how long", func(t *testing.T) {
		is := is.New(t)
		h, _ := failing(1, 429, "Retry-After", "7")
		c, _ := newTestClient(t, h)
		var told []time.Duration
		c.onPause = func(why error, pause time.Duration) {
			is.True(hasStatus(why, 429))
			told = append(told, pause)
		}
		_, err := c.Whoami(t.Context())
		is.NoErr(err)
		is.Equal(told, []time.Duration{7 * time.Second})
	})
	t.Run("Should fail at once when the server asks for a longer pause than may be", func(t *testing.T) {
		is := is.New(t)
		for seconds, asks := range map[string]int32{"10": 2, "11": 1} {
			h, asked := failing(1, 429, "Retry-After", seconds)
			c, made := newTestClient(t, h)
			c.maxPause = 10 * time.Second
			_, err := c.Whoami(t.Context())
			is.Equal(err == nil, asks == 2)
			is.Equal(asked.Load(), asks)
			is.Equal(len(*made), int(asks)-1)
		}
	})
	t.Run("Should not repeat a 429 that patience does not mend", func(t *testing.T) {
		is := is.New(t)
		for code, after := range map[string]string{"limit.quota_exceeded": "1", "limit.rate_exceeded": ""} {
			var asked atomic.Int32
			c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Retry-After", after)
				answer(w, 429, `{"code":"`+code+`","detail":"no"}`)
			})
			_, err := c.CreateUser(t.Context(), "acme", UserCreate{Email: "a@b", Role: RoleAdmin})
			is.True(hasStatus(err, 429))
			is.Equal(asked.Load(), int32(1))
		}
	})
	for _, status := range []int{400, 401, 403, 404, 409, 500} {
		t.Run(fmt.Sprintf("Should not repeat a read after %d", status), func(t *testing.T) {
			is := is.New(t)
			h, asked := failing(100, status)
			c, _ := newTestClient(t, h)
			_, err := c.Whoami(t.Context())
			is.True(hasStatus(err, status))
			is.Equal(asked.Load(), int32(1))
		})
	}
	t.Run("Should repeat a post with the same Idempotency-Key, and each post with its own", func(t *testing.T) {
		is := is.New(t)
		var keys []string
		fails := map[int]func(w http.ResponseWriter){
			0: func(w http.ResponseWriter) { answer(w, 503, `{"code":"unavailable","detail":"no"}`) },
			1: func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, // cut off: it may have been done
			2: func(w http.ResponseWriter) {
				w.Header().Set("Retry-After", "1")
				answer(w, 409, `{"code":"request.in_progress","detail":"no"}`)
			},
		}
		c, made := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			if fail := fails[len(keys)-1]; fail != nil {
				fail(w)
				return
			}
			answer(w, 201, `{}`)
		})
		_, err := c.CreateUser(t.Context(), "acme", UserCreate{Email: "a@b", Role: RoleAdmin})
		is.NoErr(err)
		is.Equal((*made)[len(*made)-1], time.Second)
		is.Equal(len(keys), 4) // one of them perhaps by net/http, which knows the header too
		is.True(regexp.MustCompile(`^[A-Za-z0-9_.:-]{20,128}$`).MatchString(keys[0]))
		is.Equal(keys[1:], []string{keys[0], keys[0], keys[0]})
		_, err = c.CreateUser(WithIdempotencyKey(t.Context(), "mine"), "acme", UserCreate{Email: "a@b", Role: RoleAdmin})
		is.NoErr(err)
		_, err = c.CreateUser(t.Context(), "acme", UserCreate{Email: "a@b", Role: RoleAdmin})
		is.NoErr(err)
		is.Equal(keys[4], "mine")
		is.True(keys[5] != keys[0])
	})
	for _, status := range []int{400, 403, 409, 412, 422, 500} {
		t.Run(fmt.Sprintf("Should not repeat a post after %d", status), func(t *testing.T) {
			is := is.New(t)
			h, asked := failing(100, status)
			c, _ := newTestClient(t, h)
			_, err := c.StartWorkflow(t.Context(), "acme", WorkflowStart{Type: "T", TaskQueue: "q"})
			is.True(hasStatus(err, status))
			is.Equal(asked.Load(), int32(1))
		})
	}
	t.Run("Should repeat no change but a post, and give nothing else a key", func(t *testing.T) {
		is := is.New(t)
		var asked atomic.Int32
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			is.Equal(r.Header.Get("Idempotency-Key"), "")
			answer(w, 503, `{"code":"unavailable","detail":"no"}`)
		})
		for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodDelete} {
			_, err := c.do(t.Context(), request{method: method, path: path("api/v0/any")})
			is.True(hasStatus(err, 503))
		}
		is.Equal(asked.Load(), int32(3))
	})
	t.Run("Should repeat a read that was cut off", func(t *testing.T) {
		is := is.New(t)
		var asked atomic.Int32
		c, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, "{")
				panic(http.ErrAbortHandler)
			}
			answer(w, 200, `{}`)
		})
		_, err := c.Whoami(t.Context())
		is.NoErr(err)
		is.Equal(asked.Load(), int32(2))
	})
	t.Run("Should repeat a change whose connection was refused", func(t *testing.T) {
		is := is.New(t)
		c, made := clientOf(t, closedPort(t))
		_, err := c.CreateUser(t.Context(), "acme", UserCreate{Email: "a@b", Role: RoleAdmin})
		is.True(errors.Is(err, syscall.ECONNREFUSED)) // wrapped, not replaced
		is.Equal(len(*made), defaultRetries)
	})
	t.Run("Should end with the context, and say what went wrong before", func(t *testing.T) {
		is := is.New(t)
		h, asked := failing(100, 503)
		c, _ := newTestClient(t, h)
		ctx, cancel := context.WithCancel(t.Context())
		c.sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
		_, err := c.Whoami(ctx)
		is.True(hasStatus(err, 503))
		is.Equal(asked.Load(), int32(1))
	})
	t.Run("Should never repeat when told so", func(t *testing.T) {
		is := is.New(t)
		h, asked := failing(100, 503)
		c, _ := newTestClient(t, h)
		c.retries = -1
		_, err := c.Whoami(t.Context())
		is.True(hasStatus(err, 503))
		is.Equal(asked.Load(), int32(1))
	})
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	c, err := New(Config{URL: "http://host", APIKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]any{
		"the client": c, "the configuration": Config{URL: "http://host", APIKey: testKey},
		"a new key": APIKeyCreated{Secret: testKey}, "a pointer to a new key": &APIKeyCreated{Secret: testKey},
		"a token": Token{Token: testKey}, "a pointer to a token": &Token{Token: testKey}, "the credential itself": c.key,
		"a struct that holds one": struct{ K APIKeyCreated }{APIKeyCreated{Secret: testKey}},
	}
	for name, v := range shown {
		t.Run("Should show "+name+" without the secret", func(t *testing.T) {
			is := is.New(t)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				is.True(!strings.Contains(fmt.Sprintf(verb, v), testKey))
				is.True(!strings.Contains(fmt.Sprintf(verb, v), fmt.Sprintf("%x", testKey)))
			}
			if name == "a struct that holds one" {
				return // slog shows that as JSON
			}
			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			is.True(!strings.Contains(out.String(), testKey))
		})
	}
	t.Run("Should keep the secret of a new key in JSON", func(t *testing.T) {
		is := is.New(t)
		b, err := json.Marshal(APIKeyCreated{Secret: testKey})
		is.NoErr(err)
		is.True(strings.Contains(string(b), testKey))
	})
}

// documented lists the operations of the document, as "GET /path".
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	var at string
	line := regexp.MustCompile(`^(?:  (/\S*):|    (get|post|put|patch|delete):)$`)
	for l := range strings.SplitSeq(string(text), "\n") {
		switch m := line.FindStringSubmatch(l); {
		case m == nil:
		case m[1] != "":
			at = m[1]
		default:
			out = append(out, strings.ToUpper(m[2])+" "+at)
		}
	}
	if len(out) < 20 {
		t.Fatalf("found only %d operations in the document", len(out))
	}
	return out
}
