package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulkheadhq/bulkhead/ports"
)

// The metrics of the cache of credentials. A process without one has none of them.
var (
	cacheStaleness = prometheus.NewDesc("bulkhead_auth_cache_staleness_seconds",
		"How long ago the last look at changed credentials began. From 3 seconds on the cache is not used.", nil, nil)
	cacheSize = prometheus.NewDesc("bulkhead_auth_cache_size", "API keys in the cache.", nil, nil)
	cacheHits = prometheus.NewDesc("bulkhead_auth_cache_hits_total", "Presented API keys that were in the cache.", nil, nil)
	cacheMiss = prometheus.NewDesc("bulkhead_auth_cache_misses_total",
		"Presented API keys for which the database was asked.", nil, nil)
	cacheInvalidations = prometheus.NewDesc("bulkhead_auth_cache_invalidations_total",
		"API keys, and organizations as a whole, whose cached credentials were dropped because they had changed.", nil, nil)
)

// cacheCollector asks the cache when somebody measures.
type cacheCollector struct {
	read atomic.Pointer[func() ports.CacheStats]
}

// WatchCache implements ports.CacheMeter.
func (m *Metrics) WatchCache(read func() ports.CacheStats) { m.credentials.read.Store(&read) }

// Describe implements prometheus.Collector.
func (*cacheCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{cacheStaleness, cacheSize, cacheHits, cacheMiss, cacheInvalidations} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *cacheCollector) Collect(out chan<- prometheus.Metric) {
	read := c.read.Load()
	if read == nil {
		return
	}
	s := (*read)()
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	out <- prometheus.MustNewConstMetric(cacheStaleness, gauge, s.Staleness.Seconds())
	out <- prometheus.MustNewConstMetric(cacheSize, gauge, float64(s.Size))
	out <- prometheus.MustNewConstMetric(cacheHits, counter, float64(s.Hits))
	out <- prometheus.MustNewConstMetric(cacheMiss, counter, float64(s.Misses))
	out <- prometheus.MustNewConstMetric(cacheInvalidations, counter, float64(s.Invalidated))
}
