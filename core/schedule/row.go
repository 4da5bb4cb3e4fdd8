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

// MaxRows is how many rows are listed at a time.
const MaxRows = 100

// Filter chooses rows, MaxRows of them at most. The zero value chooses the first.
type Filter struct {
	After string   // the id of the last row that was seen
	Held  HoldKind // those that are held so; zero: all
}
