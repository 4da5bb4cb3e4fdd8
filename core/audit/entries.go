package audit

import (
	"maps"
	"slices"
)

// Keys is what the trail keeps of a change of free entries, such as metadata: the names
// of those that are different, in their order, and none of their values, which are as
// long as their writer likes and would be kept for good. A name in both lists was given
// another value; one in the first alone was removed, one in the second alone added. It
// is false when nothing has changed.
func Keys(before, after map[string]string) (Change, bool) {
	b, a := missing(before, after), missing(after, before)
	var c Change
	if len(b) > 0 {
		c.Before = b
	}
	if len(a) > 0 {
		c.After = a
	}
	return c, len(b)+len(a) > 0
}

// missing returns the names of the entries of one that are not the same in other.
func missing(one, other map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(one)) {
		if v, ok := other[name]; !ok || v != one[name] {
			names = append(names, name)
		}
	}
	return names
}
