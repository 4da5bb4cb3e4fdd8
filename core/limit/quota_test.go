package limit_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	ten := limit.Limit{Max: 10}

	t.Run("Should admit up to the quota, and name it when it refuses", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.NoErr(ten.Admit(limit.Users, 9, 1))
		for _, c := range []struct {
			n          limit.Name
			used, more int64
			detail     string
		}{
			{limit.Users, 10, 1, "allows 10, and 10 are used"},
			{limit.APIKeys, 12, 1, "allows 10, and 12 are used"}, // the quota was made smaller
			{limit.Users, 9, 2, "allows 10, and 9 are used"},
			{limit.Schedules, 0, 11, "allows 10, not 11"},
		} {
			err := ten.Admit(c.n, c.used, c.more)
			is.True(errors.Is(err, limit.ErrExceeded))
			f := fault.From(err)
			is.Equal(f.Fields, []fault.Field{{Pointer: c.n.String(), Rule: "quota", Detail: c.detail}})
			is.True(f.RetryAfter == 0) // no time brings it back
		}
		is.True(errors.Is(limit.Limit{}.Admit(limit.Users, 0, 1), limit.ErrExceeded)) // none at all
	})

	t.Run("Should admit arguments up to the quota, and say where they stand when it refuses", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.NoErr(ten.AdmitPayload(10, "/input"))
		is.NoErr(limit.Limit{Max: 1, DryRun: true}.AdmitPayload(7, "/input"))
		err := ten.AdmitPayload(11, "/input", "/signal/input")
		is.True(errors.Is(err, limit.ErrPayloadTooLarge))
		f := fault.From(err)
		is.Equal(len(f.Fields), 2)
		is.Equal(f.Fields[1], fault.Field{
			Pointer: "/signal/input", Rule: "max_size", Detail: "all arguments must have at most 10 bytes together, not 11",
		})
	})

	t.Run("Should refuse nothing in a dry run", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		dry := limit.Limit{Max: 1, DryRun: true}
		is.NoErr(dry.Admit(limit.Users, 7, 7))
		is.Equal(dry.Room(7, 7), int64(7))
	})

	t.Run("Should have room for no more than is left", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for used, want := range map[int64]int64{0: 3, 7: 3, 8: 2, 10: 0, 12: 0} {
			is.Equal(ten.Room(used, 3), want)
		}
	})

	t.Run("Should warn from its share on, if anybody is to be warned", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		l := limit.Limit{Max: 10, WarnPercent: 80}
		is.True(!l.Warns(7))
		is.True(l.Warns(8))
		is.True(l.Warns(11)) // the quota was made smaller
		is.True(!limit.Limit{Max: 10}.Warns(10))
		is.True(!limit.Limit{WarnPercent: 80}.Warns(0)) // nothing is allowed, and nothing is used
	})
}
