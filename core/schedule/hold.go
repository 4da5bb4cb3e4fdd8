package schedule

import "github.com/google/uuid"

// HoldKind says why Bulkhead has paused a schedule. The zero value is no reason.
type HoldKind struct{ s, words string }

// The kinds of hold.
var (
	Suspension = HoldKind{"suspension", "Paused by Bulkhead, as the organization does not work."}
	Bulk       = HoldKind{"bulk", "Paused by Bulkhead with all of the organization's schedules."}
)

// String returns the kind's name; "" for the zero value.
func (k HoldKind) String() string { return k.s }

// Hold is that Bulkhead has paused a schedule, for as long as the note that it was
// paused with stands: whoever pauses it anew, or lets it go on, takes it over.
type Hold struct {
	Kind HoldKind
	ID   uuid.UUID // random, so that no note is taken for another's
}

// beginMark is what every mark begins with. Nobody else's note has it in it.
const beginMark = "[bulkhead-hold"

// Mark is what a note has in it that was left by the hold. Its form is documented, and
// stays: notes are kept by Temporal.
func (h Hold) Mark() string { return beginMark + " " + h.Kind.s + " " + h.ID.String() + "]" }

// Note is what the schedule is paused with.
func (h Hold) Note() string { return h.Kind.words + " " + h.Mark() }

// Holds names the holds of a schedule, by their kind. The zero value is none.
type Holds struct {
	Suspension uuid.UUID
	Bulk       uuid.UUID
}

// With returns the holds with another one.
func (hs Holds) With(h Hold) Holds {
	switch h.Kind {
	case Suspension:
		hs.Suspension = h.ID
	case Bulk:
		hs.Bulk = h.ID
	}
	return hs
}

// Of returns the hold of the kind; its id is zero when there is none.
func (hs Holds) Of(k HoldKind) Hold {
	switch k {
	case Suspension:
		return Hold{k, hs.Suspension}
	case Bulk:
		return Hold{k, hs.Bulk}
	}
	return Hold{Kind: k}
}
