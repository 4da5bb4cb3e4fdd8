// Package httpapi is the HTTP side of Bulkhead: the contract of api/openapi.yaml
// served over chi.
//
// A request passes through three stages. The middleware of routes.go gives it an
// identity, a line in the log and a deadline, and finds out who is asking. The
// contract's own rules are then checked against the document itself, before
// anything is bound to Go values. What is left for a handler is to call one use
// case and to convert its result. Errors leave through one function, fail, which
// has one table of how a fault shows in HTTP.
package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/leaks"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/metering"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/operations"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/refusals"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/usecase/schedules"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/core/usecase/trail"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Deps is what the API is made of.
type Deps struct {
	Orgs        *orgs.Service
	Namespaces  *namespaces.Service
	Users       *users.Service
	Roles       *roles.Service
	APIKeys     *apikeys.Service
	Auth        *auth.Service
	Leaks       *leaks.Service
	Tokens      *tokens.Service
	Workflows   *workflows.Service
	Schedules   *schedules.Service
	Operations  *operations.Service
	Assignments *assignments.Service
	Trail       *trail.Service
	Refusals    *refusals.Service
	Usage       *metering.Service
	Limits      *limits.Service
	Standard    limit.Standard // what holds where nothing was set
	Cursors     page.Sealer
	ETagKey     ETagKey
	Requests    ports.Idempotency // what is remembered of requests that may be sent again
	Lines       ports.RequestLog  // gets a line for each request; nil: Log does
	Meter       ports.RequestMeter
	Vault       ports.Vault // seals their answers
	Clock       ports.Clock
	Pingers     []ports.Pinger // what readiness asks after
	Log         *slog.Logger
	Config      Config
}

// Config is how the API behaves. The zero value is good but for
// TemporalAddress, which workers are told.
type Config struct {
	TemporalAddress string         // where workers reach Temporal's frontend
	Version         string         // of the release; "" is "devel"
	Commit          string         // it was built from
	TrustedProxies  []netip.Prefix // whose X-Forwarded-For is believed; none
	GitHubKeys      GitHubKeys     // who signs the reports of GitHub's secret scanning; nobody
	Timeout         time.Duration  // of a request, besides what it asks to wait; 15 s
	PingTimeout     time.Duration  // of each dependency's answer to readiness; 1 s
	MaxBody         int64          // of a request, in bytes; 1 MiB
	MaxWaiting      int            // requests of one organization that wait at a time; 256
}

const (
	defaultTimeout     = 15 * time.Second
	defaultPingTimeout = time.Second
	defaultMaxBody     = 1 << 20
	defaultMaxWaiting  = 256
	defaultVersion     = "devel"
)

// withDefaults returns the configuration with its zero values filled in.
func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.PingTimeout == 0 {
		c.PingTimeout = defaultPingTimeout
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = defaultMaxWaiting
	}
	if c.Version == "" {
		c.Version = defaultVersion
	}
	return c
}

// Server serves the API. It is an http.Handler.
type Server struct {
	handler  http.Handler
	contract contract
	config   Config
	auth     *auth.Service
	orgs     *orgs.Service
	refusals *refusals.Service
	usage    *metering.Service
	limiter  ports.Limiter
	policies policyHeaders
	log      *slog.Logger
	lines    ports.RequestLog
	drain    *drain
	waits    *waits
	requests ports.Idempotency
	vault    ports.Vault

	countOther func(status int, took time.Duration) // counts requests that are no operation's
}

// New returns a server. It fails when the routes and the OpenAPI document do not
// name the same operations.
func New(d Deps) (*Server, error) {
	if d.Log == nil {
		return nil, errors.New("a log is needed")
	}
	c, err := loadContract(api.Document)
	if err != nil {
		return nil, err
	}
	s := &Server{contract: c, config: d.Config.withDefaults(), auth: d.Auth, orgs: d.Orgs, refusals: d.Refusals, usage: d.Usage, limiter: d.Limits, log: d.Log, lines: d.Lines, drain: newDrain(), requests: d.Requests, vault: d.Vault}
	s.waits = newWaits(s.drain, s.config.MaxWaiting)
	if s.lines == nil {
		s.lines = records{d.Log}
	}
	s.measure(d.Meter)
	d.Config = s.config
	s.handler, err = s.routes(&handlers{Deps: d, drain: s.drain, waits: s.waits})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// SetDraining says that the process is about to end: readiness is denied from
// now on, so that load balancers stop sending, and requests that wait for
// something answer at once with what there is. Everything else goes on. It is
// the first step of a graceful shutdown, and may be called again.
func (s *Server) SetDraining() { s.drain.begin() }

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	// writeGrace is for what comes after a request's deadline: its answer.
	writeGrace = 15 * time.Second
)

// NewHTTPServer returns an HTTP server for s with limits on everything that a
// client could stretch. Its Shutdown makes s drain.
func NewHTTPServer(addr string, s *Server) *http.Server {
	server := &http.Server{
		Addr:              addr,
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      maxWait + s.config.Timeout + writeGrace,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(s.SetDraining)
	return server
}

// drain is the state of shutting down, as a context that ends when it begins.
type drain struct {
	ctx   context.Context
	begin context.CancelFunc
}

func newDrain() *drain {
	ctx, begin := context.WithCancel(context.Background())
	return &drain{ctx: ctx, begin: begin}
}

// begun tells whether the process is shutting down.
func (d *drain) begun() bool { return d.ctx.Err() != nil }
