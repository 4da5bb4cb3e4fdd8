package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulkheadhq/bulkhead/core/namespace"
)

// The metrics of the pass over all namespaces. There are none before the first whole
// one, nor in a process that takes no part in it.
var (
	namespacesDrifted = prometheus.NewDesc("bulkhead_namespaces_drifted",
		"Organizations whose namespace was not as it must be when the last whole pass had left it.", nil, nil)
	namespacesMissing = prometheus.NewDesc("bulkhead_namespaces_missing",
		"Organizations without their namespace in the last whole pass.", nil, nil)
	namespacesOrphaned = prometheus.NewDesc("bulkhead_namespaces_orphaned",
		"Namespaces without an organization in the last whole pass.", nil, nil)
	namespacesLastPass = prometheus.NewDesc("bulkhead_namespaces_last_pass_timestamp_seconds",
		"When the last whole pass over all namespaces ended, in Unix time.", nil, nil)
)

// namespaceCollector keeps what the last whole pass has counted.
type namespaceCollector struct {
	seen atomic.Pointer[passSeen]
}

type passSeen struct {
	tally namespace.Tally
	ended time.Time
}

// NamespacesSeen implements ports.NamespaceMeter.
func (m *Metrics) NamespacesSeen(t namespace.Tally, ended time.Time) {
	m.namespaces.seen.Store(&passSeen{t, ended})
}

// NamespaceRepaired implements ports.NamespaceMeter.
func (m *Metrics) NamespaceRepaired() { m.namespacesRepaired.Inc() }

// Describe implements prometheus.Collector.
func (*namespaceCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{namespacesDrifted, namespacesMissing, namespacesOrphaned, namespacesLastPass} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *namespaceCollector) Collect(out chan<- prometheus.Metric) {
	s := c.seen.Load()
	if s == nil {
		return
	}
	out <- prometheus.MustNewConstMetric(namespacesDrifted, prometheus.GaugeValue, float64(s.tally.Drifted))
	out <- prometheus.MustNewConstMetric(namespacesMissing, prometheus.GaugeValue, float64(s.tally.Missing))
	out <- prometheus.MustNewConstMetric(namespacesOrphaned, prometheus.GaugeValue, float64(s.tally.Orphaned))
	out <- prometheus.MustNewConstMetric(namespacesLastPass, prometheus.GaugeValue, float64(s.ended.UnixMilli())/1000)
}
