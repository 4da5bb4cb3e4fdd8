package httpapi

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// limit holds a request to the limits of its organization and of its key, and says in
// each answer how these stand. It comes right after the key is known, before anything
// else is spent on the request: who is refused costs next to nothing.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context())
		if e.endpoint.public {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.take(w, r, 0, e.endpoint.cost); err != nil {
			fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// questions are those to the limiter. They are large, and over when they are answered:
// no request keeps one.
var questions = sync.Pool{New: func() any { return new(limit.Check) }}

// take asks the limiter for a cost, when the same request has cost something before, and
// says in the answer how the limits stand then.
func (s *Server) take(w http.ResponseWriter, r *http.Request, before, cost int64) error {
	e, c := exchangeOf(r.Context()), questions.Get().(*limit.Check) //nolint:forcetypeassert // there is nothing else in the pool
	defer questions.Put(c)
	*c = limit.Check{}
	c.Before(before)
	err := s.limiter.Take(r.Context(), limit.Requests, e.holder, cost, c)
	s.tellLimits(w.Header(), e, c)
	return err
}

// weigh charges a request for its items, which are known now that the body was read, and
// before any of them is done.
func (s *Server) weigh(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context())
		if e.further == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.take(w, r, e.endpoint.cost, e.further); err != nil {
			fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// The headers of draft-ietf-httpapi-ratelimit-headers, in canonical form.
const (
	limitHeader  = "Ratelimit"
	policyHeader = "Ratelimit-Policy"
)

// limitLineRoom is what the header takes with two limits and numbers as great as any.
const limitLineRoom = 128

// tellLimits says how the limits stand. A dry run is for those who look after limits: a
// client that was told of it would slow down as if it were none.
func (s *Server) tellLimits(h http.Header, e *exchange, c *limit.Check) {
	var room [limitLineRoom]byte
	line, rates, told := room[:0], policyKey{}, false
	for i := range c.Len() {
		at := c.At(i)
		if at.Limit.DryRun {
			continue
		}
		line = appendName(line, told, at.Tier)
		line = strconv.AppendInt(append(line, ";r="...), at.Decision.Remaining, 10)
		line = strconv.AppendInt(append(line, ";t="...), wholeSeconds(at.Decision.ResetAfter), 10)
		rates[at.Tier], told = at.Limit.Rate, true
	}
	if !told {
		return
	}
	e.limitLine[0] = string(line)
	h[limitHeader] = e.limitLine[:]
	h[policyHeader] = s.policies.of(rates)
}

// appendName begins an element of a list with a limit's name.
func appendName(line []byte, further bool, t limit.Tier) []byte {
	if further {
		line = append(line, ", "...)
	}
	line = append(append(line, '"'), limit.Requests.Policy(t)...)
	return append(line, '"')
}

// wholeSeconds rounds up: nobody is told to come back too early.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// policyKey is the rates of the tiers; the zero one is none.
type policyKey [2]ratelimit.Rate

// maxPolicies is how many headers are remembered. There are as many as there are
// combinations of rates, of which operators set few.
const maxPolicies = 1024

// policyHeaders remembers the header that names limits: it is the same in the answers
// to all whose limits are the same.
type policyHeaders struct {
	known atomic.Pointer[map[policyKey][]string]
	mu    sync.Mutex // of those who add one
}

func (p *policyHeaders) of(k policyKey) []string {
	known := p.known.Load()
	if known != nil {
		if header, ok := (*known)[k]; ok {
			return header
		}
	}
	return p.add(k)
}

func (p *policyHeaders) add(k policyKey) []string {
	header := []string{policyLine(k)}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[policyKey][]string{}
	if known := p.known.Load(); known != nil && len(*known) < maxPolicies {
		next = maps.Clone(*known)
	}
	next[k] = header
	p.known.Store(&next)
	return header
}

func policyLine(k policyKey) string {
	var line []byte
	for t, r := range k {
		if r.Unlimited() {
			continue
		}
		line = appendName(line, line != nil, limit.Tier(t))
		line = strconv.AppendInt(append(line, ";q="...), r.Count, 10)
		line = strconv.AppendInt(append(line, ";w="...), wholeSeconds(r.Period), 10)
	}
	return string(line)
}
