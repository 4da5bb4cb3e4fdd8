package workflow

import (
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// AttributeType is the type of a search attribute.
type AttributeType struct{ s string }

// The types that Temporal has.
var (
	Keyword     = AttributeType{"keyword"}
	KeywordList = AttributeType{"keyword_list"}
	Text        = AttributeType{"text"} // found by its words
	Int         = AttributeType{"int"}
	Double      = AttributeType{"double"}
	Bool        = AttributeType{"bool"}
	Datetime    = AttributeType{"datetime"}
)

// AttributeTypes lists them all.
func AttributeTypes() []AttributeType {
	return []AttributeType{Keyword, KeywordList, Text, Int, Double, Bool, Datetime}
}

// String returns the name; "" for the zero value, which is of a type that is not
// known.
func (t AttributeType) String() string { return t.s }

// ParseAttributeType reads a name. What is none is the zero value.
func ParseAttributeType(s string) AttributeType {
	if t := (AttributeType{s}); slices.Contains(AttributeTypes(), t) {
		return t
	}
	return AttributeType{}
}

// Attribute is the value of a search attribute: what executions are found by. Its
// Value is JSON that fits its type, a datetime being text as in RFC 3339.
type Attribute struct {
	Type  AttributeType
	Value json.RawMessage
}

// Attributes are search attributes by name. A namespace knows those that were
// registered in it.
type Attributes map[string]Attribute

// The bounds of search attributes, which keep below Temporal's.
const (
	maxAttributes     = 20
	maxKeywordBytes   = 255
	maxTextBytes      = 1024
	maxKeywords       = 32
	maxAttributeBytes = 2048 // of one value
)

// reservedAttributes begin the names of search attributes that are not a tenant's
// to set: Bulkhead's own, and Temporal's.
var reservedAttributes = []string{"Bulkhead", "Temporal"}

// memberName is what a search attribute, or a field of a memo, can be called.
var memberName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (a Attributes) check() error {
	if len(a) > maxAttributes {
		return fault.InvalidField("/search_attributes", "max_properties", "must have at most 20 attributes")
	}
	for _, name := range slices.Sorted(maps.Keys(a)) { // the same answer to the same request
		if !memberName.MatchString(name) {
			return fault.InvalidField("/search_attributes", "format", "a name must have 1 to 64 of the characters a-z, A-Z, 0-9, _, . and -")
		}
		pointer := "/search_attributes/" + name
		if slices.ContainsFunc(reservedAttributes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return fault.InvalidField(pointer, "reserved", "starts with a prefix that is Bulkhead's or Temporal's own")
		}
		if err := a[name].check(pointer); err != nil {
			return err
		}
	}
	return nil
}

func (a Attribute) check(pointer string) error {
	if a.Type == (AttributeType{}) {
		return fault.InvalidField(pointer+"/type", "enum", "is no type of search attributes")
	}
	pointer += "/value"
	if len(a.Value) > maxAttributeBytes {
		return fault.InvalidField(pointer, "max_size", "must have at most 2 KiB")
	}
	if detail := attributeRules[a.Type](a.Value); detail != "" {
		return fault.InvalidField(pointer, "type", detail)
	}
	return nil
}

// attributeRules say what is wrong with a value of a type; "" is nothing.
var attributeRules = map[AttributeType]func(json.RawMessage) string{
	Keyword: func(v json.RawMessage) string {
		return unless(holds(v, func(s string) bool { return len(s) <= maxKeywordBytes }), "must be a string of at most 255 bytes")
	},
	Text: func(v json.RawMessage) string {
		return unless(holds(v, func(s string) bool { return len(s) <= maxTextBytes }), "must be a string of at most 1024 bytes")
	},
	KeywordList: func(v json.RawMessage) string {
		return unless(holds(v, areKeywords), "must be 1 to 32 strings, each of at most 255 bytes")
	},
	Int: func(v json.RawMessage) string {
		return unless(holds(v, func(int64) bool { return true }), "must be an integer of 64 bits")
	},
	Double: func(v json.RawMessage) string {
		return unless(holds(v, func(f float64) bool { return !math.IsInf(f, 0) }), "must be a number")
	},
	Bool: func(v json.RawMessage) string {
		return unless(holds(v, func(bool) bool { return true }), "must be true or false")
	},
	Datetime: func(v json.RawMessage) string {
		return unless(holds(v, func(time.Time) bool { return true }), "must be a date and time as in RFC 3339")
	},
}

func areKeywords(list []*string) bool {
	return len(list) > 0 && len(list) <= maxKeywords &&
		!slices.ContainsFunc(list, func(s *string) bool { return s == nil || len(*s) > maxKeywordBytes })
}

// holds tells whether JSON is a T, null being none, of which ok is true.
func holds[T any](v json.RawMessage, ok func(T) bool) bool {
	var value *T
	return json.Unmarshal(v, &value) == nil && value != nil && ok(*value)
}

func unless(ok bool, detail string) string {
	if ok {
		return ""
	}
	return detail
}
