package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

const whoamiURL = "/api/v0/auth/whoami"

func TestAuthenticate(t *testing.T) {
	t.Parallel()

	t.Run("Should ask who is there before it judges anything else of a request", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		secured := 0
		for at, e := range b.server.contract {
			if e.public {
				continue
			}
			secured++
			path := strings.NewReplacer("{", "", "}", "").Replace(at.pattern) // each identifier malformed
			r := httptest.NewRequest(at.method, path+"?unknown=%ff", strings.NewReader(strings.Repeat("{", 2<<20)))
			r.Header.Set("Content-Type", "text/plain")
			w := b.do(r)
			is.Equal(w.Code, http.StatusUnauthorized) // whatever is wrong besides
			is.Equal(w.Header().Get("WWW-Authenticate"), `Bearer error="invalid_token"`)
			p := b.problem(w)
			is.Equal(p.Code, "auth.unauthenticated")
			is.Equal(p.Fields, nil)
		}
		is.Equal(secured, len(b.server.contract)-5) // all but the public ones
	})

	t.Run("Should answer every credential that is no good alike", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		other := setup(t) // its keys are unknown here

		bodies := map[string]bool{}
		for _, header := range []string{
			"", "Bearer", "Bearer ", "Bearer  " + b.admin, "Basic " + b.admin, b.admin, "Bearer:" + b.admin, "Bearer " + b.admin + " ", "Bearer\t" + b.admin,
			"Bearer bhk_short", "Bearer " + other.admin, "Bearer " + strings.ToUpper(b.admin), "Bearer " + b.admin + "," + b.admin, "Bearer \xff\x00",
		} {
			r := request(http.MethodGet, whoamiURL, "", "")
			r.Header["Authorization"] = []string{header}
			w := b.do(r)
			is.Equal(w.Code, http.StatusUnauthorized)
			bodies[strings.ReplaceAll(w.Body.String(), b.problem(w).RequestID, "")] = true
		}
		is.Equal(len(bodies), 1)
	})

	t.Run("Should take the scheme in any case", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		r := request(http.MethodGet, whoamiURL, "", "")
		r.Header.Set("Authorization", "bearer "+b.admin)
		is.Equal(b.do(r).Code, http.StatusOK)
	})

	t.Run("Should refuse two Authorization headers, even of the same key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		r := request(http.MethodGet, whoamiURL, b.admin, "")
		r.Header.Add("Authorization", "Bearer "+b.admin)
		w := b.do(r)
		is.Equal(w.Code, http.StatusBadRequest)
		is.Equal(b.problem(w).Code, "request.duplicate_header")
		is.Equal(field(b.problem(w)), "Authorization repeated")
	})

	t.Run("Should need no key for what is public, and take no notice of a bad one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t, pinger{name: "postgres"})

		for at, e := range b.server.contract {
			if e.public && !e.signed {
				is.Equal(b.do(request(at.method, at.pattern, "garbage", "")).Code, http.StatusOK)
			}
		}
	})

	t.Run("Should answer 503, never 200 or 401, while keys can not be looked up", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.failure = fault.ErrUnavailable.Because(errors.New("dial tcp 10.0.0.7:5432"))

		w := b.do(request(http.MethodGet, whoamiURL, b.admin, ""))
		is.Equal(w.Code, http.StatusServiceUnavailable)
		is.Equal(w.Header().Get("Retry-After"), "1")
		is.True(!strings.Contains(w.Body.String(), "10.0.0.7"))
		is.True(strings.Contains(b.log.String(), "10.0.0.7"))
	})
}

func TestRouting(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		method, target string
		want           int
		allow          string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/favicon.ico", 404, ""},
		{"GET", "/api/v0", 404, ""},
		{"GET", "/api/v0/auth/whoami/", 404, ""},
		{"GET", "/api/v0/auth/who%61mi", 404, ""},
		{"GET", "/api/v0//auth/whoami", 404, ""},
		{"GET", "/api/v0/auth/../auth/whoami", 404, ""},
		{"GET", "/api/v0/organizations/", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/metrics", 404, ""},
		{"POST", "/nowhere", 404, ""},
		{"BREW", "/nowhere", 404, ""},
		{"HEAD", "/nowhere", 404, ""},
		{"OPTIONS", "/nowhere", 404, ""},
		{"BREW", "/livez", 405, "GET, HEAD, OPTIONS"},
		{"POST", "/livez", 405, "GET, HEAD, OPTIONS"},
		{"POST", "/docs", 405, "GET, HEAD, OPTIONS"},
		{"DELETE", "/api/v0/organizations", 405, "GET, HEAD, POST, OPTIONS"},
		{"PUT", "/api/v0/organizations/acme/workflows/a%2Fb", 405, "GET, HEAD, OPTIONS"},
		{"TRACE", whoamiURL, 405, "GET, HEAD, OPTIONS"},
		{"HEAD", acmeURL + "/suspend", 405, "POST, OPTIONS"},
	} {
		t.Run("Should answer with a problem to "+c.method+" "+c.target, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t)

			w := b.do(request(c.method, c.target, "", ""))
			is.Equal(w.Code, c.want)
			is.Equal(w.Header().Get("Allow"), c.allow)
			p := b.problem(w)
			is.Equal(p.Code, map[int]string{404: "request.no_route", 405: "request.method_not_allowed"}[c.want])
			is.Equal(b.lines()[0]["route"], "") // a path is the client's text, and not for the log
		})
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()

	t.Run("Should write one line that says who did what, and nothing that is secret", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		r := request(http.MethodPost, keysURL, b.admin, `{"name":"the-body","scopes":["users:read"]}`)
		r.URL.RawQuery = ""
		r.Header.Set("X-Request-Id", "client-7")
		r.Header.Set("Cookie", "the-cookie")
		r.RemoteAddr = "[2001:db8::1]:1234"
		w := b.do(r)
		is.Equal(w.Code, http.StatusCreated)
		is.Equal(len(b.lines()), 1)
		line := b.lines()[0]
		is.Equal(line["level"], "INFO")
		is.Equal(line["method"], "POST")
		is.Equal(line["route"], "/api/v0/organizations/{org}/api-keys")
		is.Equal(line["status"], 201.0)
		is.Equal(line["bytes"], float64(w.Body.Len()))
		is.Equal(line["ip"], "2001:db8::1")
		is.Equal(line["organization_id"], b.acme.Snapshot().ID.String())
		is.Equal(line["api_key_id"], b.key.Snapshot().ID.String())
		is.Equal(line["request_id"], w.Header().Get("X-Request-Id"))
		is.Equal(line["client_request_id"], "client-7") // beside ours, never in its place
		is.True(line["request_id"] != "client-7")
		is.True(line["duration_us"].(float64) >= 0)
		for _, secret := range []string{"bhk_", "the-body", "the-cookie", "Bearer", "/acme"} {
			is.True(!strings.Contains(b.log.String(), secret))
		}
	})

	t.Run("Should log a refusal with its code and without its cause", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		b.do(request(http.MethodGet, whoamiURL+"?token=hunter2", "bhk_wrong", ""))
		is.Equal(b.lines()[0]["code"], "auth.unauthenticated")
		is.Equal(b.lines()[0]["level"], "INFO")
		is.Equal(b.lines()[0]["error"], nil)
		is.True(!strings.Contains(b.log.String(), "hunter2") && !strings.Contains(b.log.String(), "bhk_wrong"))
	})

	t.Run("Should log probes where they can be left out", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		b.do(request(http.MethodGet, "/livez", "", ""))
		is.Equal(b.lines()[0]["level"], "DEBUG")
	})

	t.Run("Should not let a client write lines of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		for _, given := range [][]string{{"a b"}, {`a"b`}, {""}, {strings.Repeat("a", maxClientRequestID+1)}, {"a", "b"}, {"é"}} {
			r := request(strings.Repeat("X", 1000), "/livez", "", "")
			r.Header["X-Request-Id"] = given
			w := b.do(r)
			is.True(w.Header().Get("X-Request-Id") != given[0])
		}
		for _, line := range b.lines() {
			is.Equal(line["client_request_id"], nil)
			is.Equal(line["method"], "other")
		}
	})

	t.Run("Should not call it our fault when a client is gone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		ctx, leave := context.WithCancel(t.Context())
		leave()

		b.do(request(http.MethodGet, whoamiURL, b.admin, "").WithContext(ctx))
		is.Equal(b.lines()[0]["status"], 499.0)
		is.Equal(b.lines()[0]["level"], "INFO")
	})
}

func TestRecover(t *testing.T) {
	t.Parallel()

	t.Run("Should turn a panic into a problem and log its stack once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.panics = true

		w := b.do(request(http.MethodGet, whoamiURL, b.admin, ""))
		is.Equal(w.Code, http.StatusInternalServerError)
		is.Equal(b.problem(w).Code, "internal")
		is.True(!strings.Contains(w.Body.String(), "cache")) // what happened is for the log
		is.Equal(len(b.lines()), 1)
		line := b.lines()[0]
		is.Equal(line["level"], "ERROR")
		is.True(strings.Contains(line["error"].(string), "a fault in the cache"))
		is.True(strings.Contains(line["stack"].(string), "fakes_test.go"))
	})

	t.Run("Should cut off an answer that had begun", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		h := b.server.begin(b.server.accessLog(recoverPanics(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("late")
		}))))

		is.Equal(panicOf(h), http.ErrAbortHandler) // which makes net/http close the connection
		is.Equal(b.lines()[0]["level"], "ERROR")
		is.True(b.lines()[0]["stack"] != nil)
	})

	t.Run("Should let net/http's own panic pass", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		h := b.server.begin(b.server.accessLog(recoverPanics(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}))))

		is.Equal(panicOf(h), http.ErrAbortHandler)
		is.Equal(b.lines()[0]["stack"], nil)
	})
}

func panicOf(h http.Handler) (cause any) {
	defer func() { cause = recover() }()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return nil
}

func TestHeaders(t *testing.T) {
	t.Parallel()

	t.Run("Should make every answer data that nobody keeps", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		for _, target := range []string{"/livez", "/version", "/nowhere", whoamiURL} {
			h := b.do(request(http.MethodGet, target, "", "")).Header()
			is.Equal(h.Get("X-Content-Type-Options"), "nosniff")
			is.Equal(h.Get("Cache-Control"), "no-store")
			is.Equal(h.Get("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'")
			is.Equal(h.Get("Referrer-Policy"), "no-referrer")
			is.Equal(h.Get("Cross-Origin-Resource-Policy"), "same-origin")
			is.Equal(len(h.Get("X-Request-Id")), 26)
		}
	})

	t.Run("Should give each request an identifier of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		seen := map[string]bool{}
		for range 1000 {
			seen[newRequestID()] = true
		}
		is.Equal(len(seen), 1000)
	})
}

func TestDeadline(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		target, prefer string
		want           time.Duration
	}{
		{whoamiURL, "", defaultTimeout},
		{whoamiURL + "?wait=60", "wait=60", defaultTimeout}, // it has no such thing
		{opURL, "", defaultTimeout},
		{opURL + "?wait=60", "", defaultTimeout + maxWait},
		{opURL + "?wait=61", "", defaultTimeout},
		{opURL + "?wait=-1", "", defaultTimeout},
		{opURL + "?wait=x", "", defaultTimeout},
		{opURL, "wait=20", defaultTimeout + 20*time.Second},
		{opURL, "wait=61", defaultTimeout},
	} {
		t.Run("Should be there for "+c.target+" "+c.prefer, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			s := &Server{config: Config{}.withDefaults()}
			r := request(http.MethodGet, c.target, "", "")
			e := newExchange(httptest.NewRecorder(), r)
			e.endpoint = &endpoint{waits: strings.HasPrefix(c.target, opURL)}
			r.Header.Set("Prefer", c.prefer)

			var left time.Duration
			s.deadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				at, ok := r.Context().Deadline()
				is.True(ok)
				left = time.Until(at)
			})).ServeHTTP(e, r.WithContext(&e.context))
			is.True(left <= c.want && left > c.want-5*time.Second)
		})
	}
}

func TestClientIP(t *testing.T) {
	t.Parallel()

	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a peer", "192.0.2.1:80", nil, "192.0.2.1"},
		{"a peer that is no proxy of ours", "192.0.2.1:80", []string{"198.51.100.1"}, "192.0.2.1"},
		{"a proxy that says nothing", "10.0.0.1:80", nil, "10.0.0.1"},
		{"a client behind a proxy", "10.0.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a client that writes what it likes", "10.0.0.1:80", []string{"1.1.1.1, 10.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		{"a client behind two proxies", "10.0.0.1:80", []string{"1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"a header in two lines", "10.0.0.1:80", []string{"1.1.1.1", "198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		{"proxies alone", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a proxy that forwards nonsense", "10.0.0.1:80", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"an empty hop", "10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"a hop with a port", "10.0.0.1:80", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:80", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 with a port", "[fd00::1]:80", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"IPv6 in brackets", "10.0.0.1:80", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv4 in brackets, which is none", "10.0.0.1:80", []string{"198.51.100.1, [192.0.2.1]"}, "10.0.0.1"},
		{"half a bracket", "10.0.0.1:80", []string{"198.51.100.1, [2001:db8::7"}, "10.0.0.1"},
		{"IPv4 inside IPv6", "[::ffff:10.0.0.1]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a zone", "10.0.0.1:80", []string{"fe80::1%eth0"}, "fe80::1"},
		{"no address at all", "@", nil, "invalid IP"},
	} {
		t.Run("Should tell "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr, r.Header["X-Forwarded-For"] = c.peer, c.forwarded
			is.Equal(clientIP(r, trusted).String(), c.want)
		})
	}

	t.Run("Should trust nobody by default", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = "10.0.0.1:80", []string{"198.51.100.1"}
		is.Equal(clientIP(r, nil).String(), "10.0.0.1")
	})
}

func TestMeter(t *testing.T) {
	t.Parallel()

	t.Run("Should count every request by its operation, and by no word of the client's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for _, r := range []*http.Request{
			request(http.MethodGet, whoamiURL, b.admin, ""),
			request(http.MethodGet, whoamiURL, "garbage", ""),
			request(http.MethodGet, "/nowhere", b.admin, ""),
			request("BREW", "/livez", "", ""),
			request(http.MethodGet, "/livez", "", ""),
			request(http.MethodGet, "/docs", "", ""),
		} {
			b.server.ServeHTTP(httptest.NewRecorder(), r)
		}
		is.Equal(b.memory.tallies, []tallied{
			{"getWhoami", 200}, {"getWhoami", 401}, {"other", 404}, {"other", 405}, {"getLiveness", 200}, {"other", 200},
		})
	})
}
