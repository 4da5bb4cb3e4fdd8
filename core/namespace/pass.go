package namespace

import (
	"time"

	"github.com/google/uuid"
)

// Tally is what a pass over all organizations and all namespaces has counted.
type Tally struct {
	Drifted  int64 // organizations whose namespace is not as it must be, when the pass has left it
	Missing  int64 // organizations without their namespace
	Orphaned int64 // namespaces without an organization
}

// Pass is how far the processes of a deployment have come together with the pass
// under way, and what the last whole one has counted.
type Pass struct {
	Turn   uuid.UUID // whose turn it is to go on
	Cursor string    // where to go on; "": at the beginning
	Tally  Tally
	DueAt  time.Time // when to go on

	Last    Tally
	EndedAt time.Time // of the last whole pass; zero: there was none
}

// End returns the pass that begins when the next one is due, after this one was whole.
func (p Pass) End(now time.Time, every time.Duration) Pass {
	return Pass{Turn: p.Turn, DueAt: now.Add(every), Last: p.Tally, EndedAt: now}
}
