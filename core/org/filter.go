package org

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// Filter chooses organizations from the list of all. The zero value is all but
// the tombstones, oldest first.
type Filter struct {
	State         State  // zero: any but Deleted
	SlugPrefix    string // "": any
	MetadataKey   string // "": any metadata
	MetadataValue string
	Order         Order
}

// Order is the order of the list.
type Order struct {
	name       string
	BySlug     bool
	Descending bool
}

// orders are the ways to order the list, as clients write them; the first is the default.
var orders = []Order{
	{"created_at", false, false}, {"-created_at", false, true}, {"slug", true, false}, {"-slug", true, true},
}

// ParseOrder reads an order; "" is the oldest first. It fails with fault.ErrInvalid.
func ParseOrder(s string) (Order, error) {
	for _, o := range orders {
		if o.name == s || s == "" {
			return o, nil
		}
	}
	return Order{}, fault.InvalidField("sort", "enum", "must be created_at, -created_at, slug or -slug")
}

// ParseMetadataFilter reads "key=value"; "" is no filter. It fails with fault.ErrInvalid.
func ParseMetadataFilter(s string) (key, value string, err error) {
	if s == "" {
		return "", "", nil
	}
	key, value, found := strings.Cut(s, "=")
	if !found || !metadataKey.MatchString(key) {
		return "", "", fault.InvalidField("metadata", "format", "must be a key of the metadata, = and its value")
	}
	return key, value, nil
}

// String is the filter in words that no two have in common: a list's cursors are
// bound to it.
func (f Filter) String() string {
	return strings.Join([]string{f.State.s, f.SlugPrefix, f.Order.name, f.MetadataKey, f.MetadataValue}, "\x00")
}

// Counts is how much belongs to an organization.
type Counts struct {
	Members int // users who were not removed
	APIKeys int // keys that were not revoked
	// Schedules are those that are known: made by Bulkhead, or found at Temporal.
	Schedules int
}
