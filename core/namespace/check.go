package namespace

import "time"

// Verdict is how a check ended. The zero value is no verdict.
type Verdict struct{ s string }

// The verdicts.
var (
	OK      = Verdict{"ok"}
	Warning = Verdict{"warning"} // it works, and somebody should know
	Failed  = Verdict{"failed"}
	Skipped = Verdict{"skipped"} // what it needs has failed, or it was not asked for
)

// String returns the verdict's name.
func (v Verdict) String() string { return v.s }

// Check is one thing that an organization needs to work, and how it was found.
type Check struct {
	Name     string
	Verdict  Verdict
	Detail   string // for people, and public
	Repair   string // what to do about it; "": nothing
	Duration time.Duration
}

// Canary is how far a workflow of Bulkhead's own has come in a namespace: how long
// after its beginning each step was done. Zero: it has not come so far.
type Canary struct {
	Started   time.Duration
	Read      time.Duration // with its search attributes
	Completed time.Duration // by a worker, which was given its task
	Listed    time.Duration // by its search attributes
}

// OwnPrefix is what the task queues of Bulkhead's own workflows in an organization's
// namespace begin with. Nobody else polls them.
const OwnPrefix = "bulkhead-"

// Healthy tells whether no check has failed.
func Healthy(checks []Check) bool {
	for _, c := range checks {
		if c.Verdict == Failed {
			return false
		}
	}
	return true
}
