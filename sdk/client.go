package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
)

// The defaults of a Config.
const (
	defaultTimeout = 30 * time.Second
	defaultRetries = 3
)

// Config says where the API is and who is asking. Only URL is needed; formatted
// or logged, a Config does not show its key.
type Config struct {
	// URL is the address of the API, such as "https://bulkhead.example".
	URL string
	// APIKey is the credential, "bhk_…". Health, version and key set need none.
	APIKey string

	// HTTPClient sends the requests; nil is a client of its own. Redirects are
	// never followed: the API has none, and the key must not travel.
	HTTPClient *http.Client
	// UserAgent stands before the SDK's own name in each request.
	UserAgent string
	// Timeout bounds one attempt, on top of the time that a call asks the server
	// to wait; 0 is 30 seconds. The context bounds the whole call.
	Timeout time.Duration
	// Retries is how often a request that is safe to repeat is sent again; 0 is
	// three times, a negative number never.
	Retries int
	// MaxPause is the longest that the server can make a request wait before it is
	// sent again. When it asks for more, the call fails at once, with an Error whose
	// RetryAfter says when to come back. 0 is as long as the server asks.
	MaxPause time.Duration
	// OnPause is told, before the pause begins, of each that the server asks for.
	OnPause func(why error, pause time.Duration)
}

// Client speaks to the API. It is safe for concurrent use.
type Client struct {
	base      string // without a slash at the end
	key       secret
	http      *http.Client
	userAgent string
	timeout   time.Duration
	retries   int
	maxPause  time.Duration // 0: none is too long
	onPause   func(error, time.Duration)

	// Replaced by tests, which neither wait nor throw dice nor fill the memory.
	maxAnswer int64
	sleep     func(context.Context, time.Duration) error
	jitter    func() float64 // in [0, 1)
}

// New returns a client. It sends nothing.
func New(cfg Config) (*Client, error) {
	base, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if err := checkKey(cfg.APIKey); err != nil {
		return nil, err
	}
	c := &Client{
		base: base, key: secret(cfg.APIKey), http: &http.Client{}, userAgent: userAgent(cfg.UserAgent),
		timeout: cfg.Timeout, retries: cfg.Retries, sleep: sleep, jitter: dice,
		maxAnswer: maxAnswer, maxPause: cfg.MaxPause, onPause: cfg.OnPause,
	}
	if cfg.HTTPClient != nil {
		own := *cfg.HTTPClient
		c.http = &own
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.onPause == nil {
		c.onPause = func(error, time.Duration) {}
	}
	if c.retries == 0 {
		c.retries = defaultRetries
	}
	return c, nil
}

// checkKey refuses what can be no key. It never shows it: what was pasted may be
// the key and a line break.
func checkKey(key string) error {
	switch {
	case strings.ContainsFunc(key, func(r rune) bool { return r > '~' && unicode.IsGraphic(r) && !unicode.IsSpace(r) }):
		return errors.New("the API key looks like a placeholder: it holds a character that no key has, such as “…”")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the API key holds characters that no key has; is there a space or a line break in it?")
	}
	return nil
}

func parseURL(s string) (string, error) {
	if s == "" {
		return "", errors.New("Config.URL is empty (is BULKHEAD_URL set?)")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return "", errors.New(`the URL of the API must look like "https://bulkhead.example"`)
	case u.User != nil:
		return "", errors.New("the URL of the API must hold no credentials; they are the API key")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the URL of the API must have no query and no fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// userAgent names the program that asks, for the operator's logs.
func userAgent(program string) string {
	own := "bulkhead-sdk-go"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if strings.HasSuffix(m.Path, "bulkheadhq/bulkhead") && strings.HasPrefix(m.Version, "v") {
				own += "/" + m.Version
			}
		}
	}
	return strings.TrimSpace(program + " " + own)
}

// URL returns the address of the API.
func (c *Client) URL() string { return c.base }

// Format shows the client without its key, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "sdk.Client(%s)", c.base) }

// LogValue shows the client without its key.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.base) }

// Format shows the configuration without its key, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "sdk.Config(%s)", c.shownURL()) }

// LogValue shows the configuration without its key.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.shownURL()) }

func (c Config) shownURL() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "malformed URL"
	}
	return u.Redacted()
}

// dice returns a number in [0, 1), to spread what would otherwise coincide.
func dice() float64 {
	return rand.Float64() //nolint:gosec // nobody gains by guessing a pause
}

// sleep waits unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
