package ports

import "time"

// Stopwatch tells how much time has passed since some moment, which is the same for
// each call. Nothing that is done to the wall clock changes it.
type Stopwatch interface {
	Elapsed() time.Duration
}
