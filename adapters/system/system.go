// Package system is the operating system as the core sees it: the clock.
package system

import (
	"time"

	"github.com/bulkheadhq/bulkhead/ports"
)

// Clock is the machine's clock.
type Clock struct{}

var _ ports.Clock = Clock{}

// Now returns the time in UTC and whole microseconds.
func (Clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Stopwatch is the machine's monotonic clock.
type Stopwatch struct{}

var _ ports.Stopwatch = Stopwatch{}

// started is when the process began, for the stopwatch.
var started = time.Now()

// Elapsed returns how long the process has run.
func (Stopwatch) Elapsed() time.Duration { return time.Since(started) }
