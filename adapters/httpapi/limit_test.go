package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
)

// limited sets the limits of ada's organization and of her key.
func (b *bundle) limited(org, key limit.Set) {
	for hash, c := range b.memory.credentials {
		if c.Org == b.acme.ID() {
			c.OrgLimits, c.KeyLimits = org, key
			b.memory.credentials[hash] = c
		}
	}
}

func perMinute(count, burst int64) limit.Set {
	return limit.Set{limit.Requests: {Rate: ratelimit.Rate{Count: count, Period: time.Minute, Burst: burst}}}
}

func TestLimit(t *testing.T) {
	t.Parallel()

	t.Run("Should tell in each answer how the organization stands, and the key if it has a limit of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		w := b.do(request("GET", whoamiURL, b.admin, ""))
		is.Equal(w.Header().Get("RateLimit-Policy"), `"organization";q=60000;w=60`)
		is.Equal(w.Header().Get("RateLimit"), `"organization";r=5999;t=1`)

		b = setup(t)
		b.limited(perMinute(100, 10), perMinute(3, 3))
		w = b.do(request("GET", usersURL+"/nobody", b.admin, "")) // no such user, and a request all the same
		is.Equal(w.Code, http.StatusBadRequest)
		is.Equal(w.Header().Get("RateLimit-Policy"), `"organization";q=100;w=60, "api_key";q=3;w=60`)
		is.Equal(w.Header().Get("RateLimit"), `"organization";r=9;t=1, "api_key";r=2;t=20`)
	})

	t.Run("Should refuse what is too often, saying when to come back and which limits refused", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.limited(perMinute(7, 1), nil) // one in 8.57 s
		is.Equal(b.do(request("GET", whoamiURL, b.admin, "")).Code, http.StatusOK)
		for range 2 { // what is refused is not charged
			w := b.do(request("POST", usersURL, b.admin, `{"nonsense":`)) // nothing else of it is judged
			is.Equal(w.Code, http.StatusTooManyRequests)
			is.Equal(w.Header().Get("Retry-After"), "9")
			is.Equal(w.Header().Get("RateLimit"), `"organization";r=0;t=9`)
			var p struct {
				Code     string
				Policies []string `json:"violated-policies"`
			}
			is.NoErr(json.Unmarshal(w.Body.Bytes(), &p))
			is.Equal(p.Code, "limit.rate_exceeded")
			is.Equal(p.Policies, []string{"organization"})
		}
	})

	t.Run("Should say nothing of a dry run to those who ask", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		dry := perMinute(1, 1)
		l := dry[limit.Requests]
		l.DryRun = true
		b.limited(dry.With(limit.Requests, l), nil)
		for range 3 {
			w := b.do(request("GET", whoamiURL, b.admin, ""))
			is.Equal(w.Code, http.StatusOK)
			is.Equal(w.Header().Get("RateLimit"), "")
			is.Equal(w.Header().Get("RateLimit-Policy"), "")
		}
	})

	t.Run("Should charge by the document, nobody without a key, and no public operation", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.limited(perMinute(100, 100), nil)
		is.Equal(b.call("exportAuditEvents").Header().Get("RateLimit"), `"organization";r=50;t=30`)
		for _, r := range []*http.Request{request("GET", whoamiURL, "", ""), request("GET", "/version", b.admin, "")} {
			is.Equal(b.do(r).Header().Get("RateLimit"), "")
		}
		is.Equal(b.do(request("GET", whoamiURL, b.admin, "")).Header().Get("RateLimit"), `"organization";r=49;t=31`)
	})

	bulk := func(b *bundle, n int) *httptest.ResponseRecorder {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(`{"op":"add","email":"u%d@acme.example","role":"viewer"}`, i)
		}
		return b.do(request("POST", usersURL+"/bulk", b.admin, `{"operations":[`+strings.Join(items, ",")+`]}`))
	}

	t.Run("Should charge many changes by their number", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for n, cost := range map[int]int64{1: 1, 9: 1, 10: 2, 25: 3, 1000: 101} {
			b := setup(t)
			b.limited(perMinute(1000, 1000), nil)
			w := bulk(b, n)
			is.Equal(w.Code, http.StatusOK)
			is.Equal(1000-b.left(w), cost)
		}
	})

	t.Run("Should charge an examination by the work that it makes at Temporal, where no other limit counts it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.limited(perMinute(1000, 150), nil)
		w := b.do(b.calls()["examineOrganization"])
		is.Equal(w.Code, http.StatusOK)
		is.Equal(b.left(w), int64(50))
		is.Equal(b.do(b.calls()["examineOrganization"]).Code, http.StatusTooManyRequests)
	})

	t.Run("Should do none of many changes that the limit does not let through", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.limited(perMinute(60, 20), nil)
		is.Equal(bulk(b, 100).Code, http.StatusOK) // 11
		before := len(b.memory.users)
		w := bulk(b, 100)
		is.Equal(w.Code, http.StatusTooManyRequests)
		is.Equal(w.Header().Get("RateLimit-Policy"), `"organization";q=60;w=60`)
		is.Equal(w.Header().Get("RateLimit"), `"organization";r=8;t=12`) // the 1 for asking is charged
		is.Equal(w.Header().Get("Retry-After"), "2")                     // when there are 10
		is.Equal(len(b.memory.users), before)
	})

	t.Run("Should let through what costs more than there can be, for all that there is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, burst := range []int64{1, 50} {
			b := setup(t)
			b.limited(perMinute(1000, burst), nil)
			w := bulk(b, 1000)
			is.Equal(w.Code, http.StatusOK)
			is.Equal(b.left(w), int64(0))
		}
	})

	t.Run("Should answer while the buckets are away, and not start workflows", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.buckets.failure = errors.New("away")
		w := b.do(request("GET", whoamiURL, b.admin, ""))
		is.Equal(w.Code, http.StatusOK)
		is.Equal(w.Header().Get("RateLimit"), "")
		w = b.do(request("POST", flowsURL, b.admin, goodFlow))
		is.Equal(w.Code, http.StatusServiceUnavailable)
		is.Equal(w.Header().Get("Retry-After"), "1")
	})

	t.Run("Should have room for the longest header, and remember no more policies than it says", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.limited(perMinute(math.MaxInt32, math.MaxInt32), perMinute(math.MaxInt32, math.MaxInt32))
		line := b.do(request("GET", whoamiURL, b.admin, "")).Header().Get("RateLimit")
		is.True(len(line) <= limitLineRoom)
		var p policyHeaders
		for i := range int64(maxPolicies + 2) {
			is.Equal(p.of(policyKey{{Count: i + 1, Period: time.Second}})[0], policyLine(policyKey{{Count: i + 1, Period: time.Second}}))
		}
		is.Equal(len(*p.known.Load()), 2)
	})
}

func TestLimitOperations(t *testing.T) {
	t.Parallel()

	t.Run("Should show a limit as it is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		own := perMinute(600, 6)[limit.Requests]
		own.WarnPercent, own.DryRun = 50, true
		text, err := json.Marshal(toOrganizationLimit("t")(limits.State{
			Name: limit.Requests, Limit: own, Standard: perMinute(60, 5)[limit.Requests], Own: true,
			Usage: &limits.Usage{Used: 2, Remaining: 4, ResetAfter: 1500 * time.Millisecond},
		}))
		is.NoErr(err)
		is.Equal(string(text), `{"default":{"burst":5,"count":60,"mode":"enforce","period_seconds":60,"warn_percent":0},`+
			`"description":"requests to the API, by cost","etag":"t","kind":"rate","name":"requests","overridden":true,`+
			`"usage":{"remaining":4,"reset_seconds":2,"used":2},`+
			`"value":{"burst":6,"count":600,"mode":"dry_run","period_seconds":60,"warn_percent":50}}`)
		text, err = json.Marshal(toOrganizationLimit("t")(limits.State{Name: limit.Users, Usage: &limits.Usage{Used: 2}}))
		is.NoErr(err)
		is.Equal(string(text), `{"default":{"max":0,"mode":"enforce","warn_percent":0},"description":"users and service accounts that are not removed","etag":"t",`+
			`"kind":"quota","name":"users","overridden":false,"usage":{"remaining":0,"used":2},"value":{"max":0,"mode":"enforce","warn_percent":0}}`)
	})

	t.Run("Should change limits by their own version", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		at := acmeURL + "/limits/users"
		tag := b.do(request("GET", acmeURL+"/limits", b.admin, "")).Header().Get("ETag")
		set := request("PUT", at, b.operator, `{"max":5}`)
		set.Header.Set("If-Match", tag)
		w := b.do(set)
		is.Equal(w.Code, http.StatusOK)
		is.Equal(b.do(request("GET", at, b.admin, "")).Header().Get("ETag"), w.Header().Get("ETag"))
		again := request("DELETE", at, b.operator, "")
		again.Header.Set("If-Match", tag)
		is.Equal(b.do(again).Code, http.StatusPreconditionFailed)
		other := request("PUT", acmeURL+"/limits/wishes", b.operator, `{"max":5}`)
		is.Equal(b.do(matching(other)).Code, http.StatusNotFound)
		is.Equal(b.do(matching(request("PUT", at, b.admin, `{"max":5}`))).Code, http.StatusForbidden)
	})

	t.Run("Should show the limits of a key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var made struct {
			Key struct {
				Limits struct {
					Requests struct {
						Burst         int64
						PeriodSeconds int64 `json:"period_seconds"`
					}
				}
			} `json:"api_key"`
		}
		b := setup(t)
		w := b.do(request("POST", keysURL, b.admin, `{"name":"ci","user_id":"`+b.ada.ID().String()+`","limits":{"requests":{"count":100,"period_seconds":60}}}`))
		is.Equal(w.Code, http.StatusCreated)
		is.NoErr(json.Unmarshal(w.Body.Bytes(), &made))
		is.Equal(made.Key.Limits.Requests.Burst, int64(10))
		is.Equal(made.Key.Limits.Requests.PeriodSeconds, int64(60))
		is.Equal(showKeyLimits(apikey.Snapshot{}.Limits), nil)
	})
}
