package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxAnswer bounds an answer: enough for the assignments of 100,000
	// organizations, and little enough to be survived.
	maxAnswer = 64 << 20

	// The pauses between attempts double from the first to the longest.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// request is one call of the API.
type request struct {
	method string
	path   []string // escaped one by one: a workflow id may hold slashes
	query  url.Values
	header http.Header
	body   any           // nil: none
	wait   time.Duration // how long the server was asked to hold the answer
	also   int           // a status that is no problem, besides those of success
}

// response is an answer, read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request and decodes its answer.
func call[T any](ctx context.Context, c *Client, r request) (*T, error) {
	res, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return decode[T](res)
}

func decode[T any](res *response) (*T, error) {
	var out T
	if err := json.Unmarshal(res.body, &out); err != nil {
		// Without the answer, which may hold a secret.
		return nil, fmt.Errorf("decode the answer of the API: %w", err)
	}
	return &out, nil
}

// do sends a request, again if need be, and returns the answer of success.
func (c *Client) do(ctx context.Context, r request) (*response, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	r = r.once(ctx)
	for attempt := 0; ; attempt++ {
		res, err := c.attempt(ctx, r, body)
		if err == nil {
			return res, nil
		}
		if c.key == "" && IsUnauthenticated(err) {
			return nil, fmt.Errorf("%w: %w", errNoKey, err)
		}
		asked := askedPause(err)
		if attempt >= c.retries || ctx.Err() != nil || !repeatable(r.method, err) || (c.maxPause > 0 && asked > c.maxPause) {
			return nil, err
		}
		if asked > 0 {
			c.onPause(err, asked)
		}
		if c.sleep(ctx, c.pause(attempt, asked)) != nil {
			return nil, err // what went wrong says more than that the time is over
		}
	}
}

// repeatable tells whether a request may be sent again after err. One that only
// reads always may, if there is hope; so may a post, whose Idempotency-Key makes
// the API do it once. Any other change may only if it has certainly not been
// sent: the second would find a newer version, and fail although it was done.
func repeatable(method string, err error) bool {
	if method != http.MethodGet && method != http.MethodPost {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	var problem *Error
	if !errors.As(err, &problem) {
		var transport *url.Error
		return errors.As(err, &transport) || errors.Is(err, errCutShort)
	}
	if problem.Code == codeInProgress {
		return true // by an attempt of ours whose answer did not arrive
	}
	switch problem.Status {
	case http.StatusTooManyRequests:
		return problem.RetryAfter > 0 && problem.Code != codeQuota // patience mends a rate, and no quota
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// codeQuota is the problem of a request that would be beyond a quota.
const codeQuota = "limit.quota_exceeded"

// askedPause is how long the server asks to wait after err; 0 when it does not say.
func askedPause(err error) time.Duration {
	var problem *Error
	if !errors.As(err, &problem) {
		return 0
	}
	return problem.RetryAfter
}

// pause is how long to wait before the next attempt: what the server asks for,
// else exponentially longer, and in both cases spread so that clients who failed
// together do not come back together.
func (c *Client) pause(attempt int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked + time.Duration(c.jitter()*float64(firstPause))
	}
	return backoff(attempt, firstPause, longestPause, c.jitter())
}

// backoff doubles a pause with each attempt up to a longest one, and takes
// between half and all of it.
func backoff(attempt int, first, longest time.Duration, jitter float64) time.Duration {
	d := longest
	if attempt < 30 && first<<attempt < longest {
		d = first << attempt
	}
	return d/2 + time.Duration(jitter*float64(d/2))
}

var (
	errCutShort = errors.New("the answer of the API was cut short")
	errTooLarge = errors.New("the answer of the API is too long to be true")
	errNoKey    = errors.New("Config.APIKey is empty (is BULKHEAD_API_KEY set?)")
)

func (c *Client) attempt(ctx context.Context, r request, body []byte) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+r.wait)
	defer cancel()
	req, err := c.newRequest(ctx, r, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, c.maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCutShort, err)
	}
	if int64(len(answer)) > c.maxAnswer {
		return nil, errTooLarge
	}
	if res.StatusCode/100 != 2 && res.StatusCode != r.also {
		return nil, c.problem(res.StatusCode, res.Header, answer, time.Now())
	}
	return &response{status: res.StatusCode, header: res.Header, body: answer}, nil
}

func (c *Client) newRequest(ctx context.Context, r request, body []byte) (*http.Request, error) {
	address := c.base
	for _, p := range r.path {
		if p == "" || p == "." || p == ".." {
			// The address would be that of something else.
			return nil, fmt.Errorf("%q is no id and no name", p)
		}
		address += "/" + url.PathEscape(p)
	}
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	// A reader that says nothing of itself would be sent as an empty chunked body.
	var content io.Reader = http.NoBody
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+string(c.key))
	}
	return req, nil
}

// path splits a constant part of an address and appends the variable ones.
func path(fixed string, variable ...string) []string {
	return append(strings.Split(fixed, "/"), variable...)
}

// organization is the path of something inside an organization.
func organization(org string, rest ...string) []string {
	return append(path("api/v0/organizations", org), rest...)
}

func get(p []string) request { return request{method: http.MethodGet, path: p} }

func post(p []string, body any) request { return request{method: http.MethodPost, path: p, body: body} }

// with returns the request with a parameter; an empty one is left out.
func (r request) with(name, value string) request {
	if value == "" {
		return r
	}
	if r.query == nil {
		r.query = url.Values{}
	}
	r.query.Set(name, value)
	return r
}

// MaxWait is the longest that the server holds an answer back.
const MaxWait = 60 * time.Second

// waiting returns the request with a wait parameter, in whole seconds: more than
// none is at least one.
func (r request) waiting(d time.Duration) request {
	n := waitSeconds(d)
	if n == 0 {
		return r
	}
	r.wait = time.Duration(n) * time.Second
	return r.with("wait", strconv.Itoa(n))
}

func waitSeconds(d time.Duration) int {
	d = max(0, min(d, MaxWait))
	return int((d + time.Second - 1) / time.Second)
}
