package schedule_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/text"
)

func TestHold(t *testing.T) {
	t.Parallel()
	i := uuid.MustParse("8c2f6b0e-5a55-4f3e-9c43-0d6a5f7f2b11")

	t.Run("Should be known by a mark whose form stays, in a note that is one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for kind, mark := range map[schedule.HoldKind]string{
			schedule.Suspension: "[bulkhead-hold suspension 8c2f6b0e-5a55-4f3e-9c43-0d6a5f7f2b11]",
			schedule.Bulk:       "[bulkhead-hold bulk 8c2f6b0e-5a55-4f3e-9c43-0d6a5f7f2b11]",
		} {
			h := schedule.Hold{Kind: kind, ID: i}
			is.Equal(h.Mark(), mark)
			is.True(len(h.Note()) > len(mark))
			is.NoErr(text.Check("/note", h.Note(), schedule.MaxNoteLen))
		}
	})

	t.Run("Should be known by what nobody else may write", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, kind := range []schedule.HoldKind{schedule.Suspension, schedule.Bulk} {
			h := schedule.Hold{Kind: kind, ID: i}
			for _, note := range []string{h.Note(), h.Mark(), "mine " + h.Mark() + " and more", strings.ToUpper(h.Mark())} {
				err := schedule.CheckNote(note)
				is.True(errors.Is(err, fault.ErrInvalid)) // a forged mark
				is.Equal(fault.From(err).Fields[0].Pointer, "/note")
				is.Equal(fault.From(err).Fields[0].Rule, "reserved")
			}
		}
		is.NoErr(schedule.CheckNote("bulkhead-hold is what the mark says"))
	})

	t.Run("Should have each kind beside the other", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var hs schedule.Holds
		is.Equal(hs.Of(schedule.Suspension).ID, uuid.UUID{})
		a, b := schedule.Hold{Kind: schedule.Suspension, ID: i}, schedule.Hold{Kind: schedule.Bulk, ID: uuid.New()}
		hs = hs.With(a).With(b)
		is.Equal(hs.Of(schedule.Suspension), a)
		is.Equal(hs.Of(schedule.Bulk), b)
		is.Equal(hs.Of(schedule.HoldKind{}), schedule.Hold{})
	})
}
