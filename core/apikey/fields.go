package apikey

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/text"
)

// The bounds of what people write about a key.
const (
	maxNameLen        = 100
	maxDescriptionLen = 500
	maxIPs            = 50
	maxMetadata       = 32
	maxMetadataKey    = 64
	maxMetadataValue  = 256
	maxMetadataBytes  = 16 << 10 // of all names and values in UTF-8
)

func checkTexts(name, description string) error {
	if err := text.Check("/name", name, maxNameLen); err != nil {
		return err
	}
	if description == "" {
		return nil
	}
	return text.Check("/description", description, maxDescriptionLen)
}

// IPList is the networks that a key can be used from. The empty list is
// everywhere.
type IPList []netip.Prefix

// ParseIPList reads networks, such as 192.0.2.0/24, or single addresses. It
// fails with fault.ErrInvalid: a network whose address has bits beyond its
// length is likelier a mistake than meant.
func ParseIPList(in []string) (IPList, error) {
	if len(in) > maxIPs {
		return nil, fault.InvalidField("/allowed_ips", "max_items", "must not have more than 50 networks")
	}
	var out IPList
	for i, s := range in {
		p, ok := parseNetwork(s)
		if !ok {
			return nil, fault.InvalidField("/allowed_ips/"+strconv.Itoa(i), "cidr",
				"must be an address, or a network such as 192.0.2.0/24 whose address ends in zeros")
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

func parseNetwork(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), ip.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && p == p.Masked() && !p.Addr().Is4In6()
}

// Allows tells whether a key with this list can be used from an address. An
// address that could not be told is in no list.
func (l IPList) Allows(ip netip.Addr) bool {
	if len(l) == 0 {
		return true
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(l, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Within tells whether a key with this list can be used from nowhere where one with
// the other can not.
func (l IPList) Within(o IPList) bool {
	if len(o) == 0 {
		return true
	}
	return len(l) > 0 && !slices.ContainsFunc(l, func(p netip.Prefix) bool {
		return !slices.ContainsFunc(o, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) })
	})
}

// Strings returns the networks in their text form.
func (l IPList) Strings() []string {
	out := make([]string, 0, len(l))
	for _, p := range l {
		out = append(out, p.String())
	}
	return out
}

// String returns the networks, separated by spaces.
func (l IPList) String() string { return strings.Join(l.Strings(), " ") }

// Metadata is what a tenant notes about a key, by name. Nobody but them reads a
// meaning in it.
type Metadata map[string]string

// NewMetadata checks the bounds. It fails with fault.ErrInvalid.
func NewMetadata(in map[string]string) (Metadata, error) {
	if len(in) > maxMetadata {
		return nil, fault.InvalidField("/metadata", "max_items", "must not have more than 32 entries")
	}
	bytes := 0
	for _, name := range slices.Sorted(maps.Keys(in)) {
		value := in[name]
		bytes += len(name) + len(value)
		if err := text.Check("/metadata", name, maxMetadataKey); err != nil {
			return nil, err
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) || utf8.RuneCountInString(value) > maxMetadataValue {
			return nil, fault.InvalidField("/metadata", "max_length", "must have values of at most 256 characters, without NUL")
		}
	}
	if bytes > maxMetadataBytes {
		return nil, fault.InvalidField("/metadata", "max_length", "must have at most 16,384 bytes of names and values in UTF-8")
	}
	if len(in) == 0 {
		return nil, nil
	}
	return maps.Clone(in), nil
}

func (m Metadata) equal(o Metadata) bool { return maps.Equal(m, o) }
