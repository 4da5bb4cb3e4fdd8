package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

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
}

var _ ports.KeyMeter = (*Metrics)(nil)

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
		usesDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bulkhead_apikey_uses_dropped_total", Help: "Uses of API keys that were not noted for lack of room.",
		}),
	}
	m.registry.MustRegister(
		m.expiryWarnings, m.secrets, m.leaks, m.usesDropped,
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
