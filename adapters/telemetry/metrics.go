package telemetry

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Metrics are what a process counts, for Prometheus. No label holds a name or an
// identifier of a tenant: each has few values, whatever is done to the service.
type Metrics struct {
	registry *prometheus.Registry

	expiryWarnings *prometheus.CounterVec
	secrets        *prometheus.GaugeVec
	leaks          *prometheus.CounterVec
	usesDropped    prometheus.Counter
	requests       *prometheus.CounterVec
	durations      *prometheus.HistogramVec
	credentials    *cacheCollector

	limited            *prometheus.CounterVec
	limiterUnavailable prometheus.Counter
	limitWarnings      *prometheus.CounterVec

	namespaces         namespaceCollector
	namespacesRepaired prometheus.Counter
}

var (
	_ ports.KeyMeter     = (*Metrics)(nil)
	_ ports.RequestMeter = (*Metrics)(nil)
	_ ports.CacheMeter   = (*Metrics)(nil)
	_ ports.LimitMeter   = (*Metrics)(nil)

	_ ports.NamespaceMeter = (*Metrics)(nil)
)

// durations are the bounds of how long requests take, in seconds: from one that
// is answered from memory to one that waits for a change.
var durations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60}

// NewMetrics returns metrics in a registry of their own, with those of Go and of
// the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		expiryWarnings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bulkhead_apikey_expiry_warnings_total", Help: "Warnings that an API key expires, by the days it had left.",
		}, []string{"days"}),
		secrets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bulkhead_apikey_secrets", Help: "Secrets of API keys that can still be used, by the version of their pepper.",
		}, []string{"pepper_version"}),
		leaks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bulkhead_apikey_leaks_total", Help: "API keys reported as leaked, by who reported them.",
		}, []string{"source"}),
		credentials: &cacheCollector{},
		usesDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bulkhead_apikey_uses_dropped_total", Help: "Uses of API keys that were not noted for lack of room.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bulkhead_http_requests_total", Help: "Requests to the API, by operation and class of their status.",
		}, []string{"operation", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bulkhead_http_request_duration_seconds", Help: "How long requests to the API took, waiting included, by operation.",
			Buckets: durations,
		}, []string{"operation"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bulkhead_limited_total", Help: "What limits refused, or would have in a dry run, by the limit and whose it is.",
		}, []string{"limit", "tier", "mode"}),
		limiterUnavailable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bulkhead_limiter_unavailable_total", Help: "How often nobody could tell how much of a limit was used.",
		}),
		limitWarnings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bulkhead_limit_warnings_total", Help: "Warnings to organizations that most of a limit is used, by the limit.",
		}, []string{"limit"}),
		namespacesRepaired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bulkhead_namespaces_repaired_total", Help: "Namespaces that this process has made as they must be.",
		}),
	}
	m.registry.MustRegister(
		m.expiryWarnings, m.secrets, m.leaks, m.usesDropped, m.requests, m.durations, m.credentials,
		m.limited, m.limiterUnavailable, m.limitWarnings, &m.namespaces, m.namespacesRepaired,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// ExpiryWarned implements ports.KeyMeter.
func (m *Metrics) ExpiryWarned(days int) {
	m.expiryWarnings.WithLabelValues(strconv.Itoa(days)).Inc()
}

// SecretsByPepper implements ports.KeyMeter. A version without secrets has no
// series.
func (m *Metrics) SecretsByPepper(secrets map[int16]int64) {
	m.secrets.Reset()
	for version, n := range secrets {
		m.secrets.WithLabelValues(strconv.Itoa(int(version))).Set(float64(n))
	}
}

// LeakReported implements ports.KeyMeter.
func (m *Metrics) LeakReported(source string) { m.leaks.WithLabelValues(source).Inc() }

// UsesDropped implements ports.KeyMeter.
func (m *Metrics) UsesDropped(n int) { m.usesDropped.Add(float64(n)) }

// classes are the classes of a status, by its first digit. What has none of them
// was cut off before it was answered.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Requests implements ports.RequestMeter. A series begins with its first request:
// nobody scrapes the many that an operation could have and never has.
func (m *Metrics) Requests(operation string) func(status int, took time.Duration) {
	duration := sync.OnceValue(func() prometheus.Observer { return m.durations.WithLabelValues(operation) })
	var counters [len(classes)]func() prometheus.Counter
	for i, class := range classes {
		counters[i] = sync.OnceValue(func() prometheus.Counter { return m.requests.WithLabelValues(operation, class) })
	}
	return func(status int, took time.Duration) {
		class := status / 100
		if class < 0 || class >= len(counters) {
			class = 0
		}
		counters[class]().Inc()
		duration().Observe(took.Seconds())
	}
}

// Limited implements ports.LimitMeter.
func (m *Metrics) Limited(n limit.Name, t limit.Tier, dryRun bool) {
	mode := "enforce"
	if dryRun {
		mode = "dry_run"
	}
	m.limited.WithLabelValues(n.String(), t.String(), mode).Inc()
}

// LimiterUnavailable implements ports.LimitMeter.
func (m *Metrics) LimiterUnavailable() { m.limiterUnavailable.Inc() }

// LimitWarned implements ports.LimitMeter.
func (m *Metrics) LimitWarned(n limit.Name) { m.limitWarnings.WithLabelValues(n.String()).Inc() }

const (
	metricsPath    = "/metrics"
	metricsTimeout = 10 * time.Second
)

// NewServer returns an HTTP server of the metrics, for operators: it asks for no
// credential, so its address is not the public one.
func (m *Metrics) NewServer(addr string) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return &http.Server{
		Addr: addr, Handler: mux,
		ReadHeaderTimeout: metricsTimeout, ReadTimeout: metricsTimeout, WriteTimeout: metricsTimeout, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
}
