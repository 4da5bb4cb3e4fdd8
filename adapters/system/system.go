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
