package config

import (
	"errors"
	"time"
)

// Namespaces is how the worker process looks after the namespaces of organizations.
type Namespaces struct {
	// Reconcile is what is done about one that is not as it must be: repair, or report,
	// which counts it and leaves it as it is.
	Reconcile string `env:"RECONCILE" envDefault:"repair"`
	// Every is the pause between two passes over all of them.
	Every time.Duration `env:"RECONCILE_EVERY" envDefault:"10m"`
}

// report is the value of Reconcile by which nothing is repaired.
const report = "report"

// leastEvery keeps Temporal from being asked all the time.
const leastEvery = time.Second

// ReportOnly tells whether nothing is to be repaired.
func (n Namespaces) ReportOnly() bool { return n.Reconcile == report }

func (n Namespaces) check() error {
	var errs []error
	if n.Reconcile != "repair" && n.Reconcile != report {
		errs = append(errs, errors.New("BULKHEAD_NAMESPACES_RECONCILE: must be repair or report"))
	}
	if n.Every < leastEvery {
		errs = append(errs, errors.New("BULKHEAD_NAMESPACES_RECONCILE_EVERY: must be 1s or more"))
	}
	return errors.Join(errs...)
}
