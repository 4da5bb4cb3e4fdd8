package limit

import (
	"fmt"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// Admit returns nil when there can be so much more of what n limits, of which so much
// is used, or else ErrExceeded, which names the quota and says what is allowed and
// what is used. A dry run refuses nothing.
func (l Limit) Admit(n Name, used, more int64) error {
	if l.DryRun || used+more <= l.Max {
		return nil
	}
	detail := fmt.Sprintf("allows %d, and %d are used", l.Max, used)
	if used == 0 {
		detail = fmt.Sprintf("allows %d, not %d", l.Max, more)
	}
	return ErrExceeded.WithFields(fault.Field{Pointer: n.n, Rule: "quota", Detail: detail})
}

// ErrPayloadTooLarge is returned for arguments that are larger than a quota allows: it
// is used up by nothing, and so no time and nobody but an operator can mend that.
var ErrPayloadTooLarge = fault.Define(fault.Invalid, "limit.payload_too_large",
	"The arguments are larger than the organization's quota payload_bytes allows.")

// AdmitPayload returns nil for arguments that are no larger together than the limit,
// in bytes, or else ErrPayloadTooLarge, which names where they stand in the request. A
// dry run refuses nothing.
func (l Limit) AdmitPayload(size int64, pointers ...string) error {
	if l.DryRun || size <= l.Max {
		return nil
	}
	broken := make([]fault.Field, 0, len(pointers))
	for _, at := range pointers {
		broken = append(broken, fault.Field{
			Pointer: at, Rule: "max_size", Detail: fmt.Sprintf("all arguments must have at most %d bytes together, not %d", l.Max, size),
		})
	}
	return ErrPayloadTooLarge.WithFields(broken...)
}

// Warns tells whether so much of a quota is used that somebody is to be warned.
func (l Limit) Warns(used int64) bool {
	return l.WarnPercent > 0 && used > 0 && used*100 >= l.Max*int64(l.WarnPercent)
}

// Room returns how much more there can be, up to what is asked for.
func (l Limit) Room(used, asked int64) int64 {
	if l.DryRun {
		return asked
	}
	return max(0, min(asked, l.Max-used))
}
