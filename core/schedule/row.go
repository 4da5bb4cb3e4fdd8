package schedule

import (
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// Row is what Bulkhead itself keeps of a schedule. What the schedule is, and whether
// it exists, is Temporal's to say.
type Row struct {
	OrgID     id.Org
	ID        string
	CreatedAt time.Time // or when it was found
	CreatedBy string    // the subject of who has made it here; "": it was found at Temporal
	Request   uuid.UUID // that has asked for it last
	Holds     Holds
}

// Holds names the holds of a schedule, by their kind. The zero value is none.
type Holds struct {
	Suspension uuid.UUID
	Bulk       uuid.UUID
}

// MaxRows is how many rows are listed at a time.
const MaxRows = 100

// Filter chooses rows, MaxRows of them at most. The zero value chooses the first.
type Filter struct {
	After string   // the id of the last row that was seen
	Held  HoldKind // those that are held so; zero: all
}

// HoldKind says why Bulkhead has paused a schedule. The zero value is no reason.
type HoldKind struct{ s string }

// The kinds of hold.
var (
	Suspension = HoldKind{"suspension"} // its organization does not work
	Bulk       = HoldKind{"bulk"}       // somebody has paused all of the organization's
)

// String returns the kind's name; "" for the zero value.
func (k HoldKind) String() string { return k.s }
