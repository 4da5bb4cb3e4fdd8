package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The rules of fields that are named in more than one place. All rules are in
// docs/errors.md.
const (
	ruleCharacters = "characters"
	ruleEncoding   = "encoding"
	ruleFormat     = "format"
	ruleRange      = "range"
	ruleRepeated   = "repeated"
	ruleRequired   = "required"
	ruleType       = "type"
	ruleUnique     = "unique"
	ruleUnknown    = "unknown"
)

// checks are how a value is visited: to the end, and with a date that Go can
// read as well.
var checks = []openapi3.SchemaValidationOption{
	openapi3.MultiErrors(),
	openapi3.DisableSchemaErrorDetails(),
	openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(s string) error {
		return new(time.Time).UnmarshalText([]byte(s))
	})),
}

// broken returns the rules of the schema that the value breaks. at is where the
// value stands; words say what it is, and may be empty.
func broken(schema *openapi3.Schema, value any, at, words string) []fault.Field {
	err := schema.VisitJSON(value, checks...)
	if err == nil {
		return nil
	}
	found := findings{at: at, words: words}
	found.collect(err)
	return found.fields
}

// findings turns a schema's complaints into fields.
type findings struct {
	at, words string
	fields    []fault.Field
	seen      map[string]bool // objects whose unknown names are all here
}

func (f *findings) collect(err error) {
	var complaint *openapi3.SchemaError
	switch all := openapi3.MultiError(nil); {
	case errors.As(err, &all):
		for _, one := range all {
			f.collect(one)
		}
	case errors.As(err, &complaint):
		f.translate(complaint)
	default:
		f.put(f.at, ruleType, "is not a value that the contract knows")
	}
}

func (f *findings) put(pointer, rule, detail string) {
	if len(f.fields) >= maxProblemFields {
		return // nobody is told more; and what a client can make long must not make us slow
	}
	// The library reports all unknown names once for each of them, and a number
	// that does not fit its type as beyond its bounds, too.
	if !slices.ContainsFunc(f.fields, func(o fault.Field) bool { return o.Pointer == pointer && o.Rule == rule }) {
		f.fields = append(f.fields, fault.Field{Pointer: pointer, Rule: rule, Detail: detail})
	}
}

// translate says in our words what the library complains of. Its own text is not
// used: it may hold the value.
func (f *findings) translate(c *openapi3.SchemaError) {
	pointer := f.at
	for _, name := range c.JSONPointer() {
		pointer = pointerTo(pointer, name)
	}
	s := c.Schema
	switch c.SchemaField {
	case "nullable":
		if s.Type != nil { // without a type any value is good, null too, whatever the library says
			f.put(pointer, ruleType, "must not be null")
		}
	case "properties":
		f.unknown(pointer, c)
	case "required":
		f.put(pointer, ruleRequired, "is required")
	case "type":
		f.put(pointer, ruleType, "must be "+article(s.Type.Slice()))
	case "enum":
		f.put(pointer, "enum", oneOf(s.Enum))
	case "minLength":
		f.put(pointer, "min_length", atLeast(s.MinLength, "character"))
	case "maxLength":
		f.put(pointer, "max_length", "must have at most "+plural(*s.MaxLength, "character"))
	case "minItems":
		f.put(pointer, "min_items", atLeast(s.MinItems, "item"))
	case "maxItems":
		f.put(pointer, "max_items", "must have at most "+plural(*s.MaxItems, "item"))
	case "uniqueItems":
		f.put(pointer, ruleUnique, "must not hold an item twice")
	case "minimum", "maximum":
		f.put(pointer, ruleRange, bounds(s))
	case "pattern":
		f.put(pointer, ruleFormat, f.form(s))
	case "format":
		if s.Type.Is(openapi3.TypeInteger) {
			f.put(pointer, ruleRange, bounds(s))
		} else {
			f.put(pointer, ruleFormat, formatWords(s.Format))
		}
	default:
		f.put(pointer, snake(c.SchemaField), "breaks a rule of the contract")
	}
}

// unknown names the names that the schema does not know; the library says only
// that there are some, as often as there are.
func (f *findings) unknown(pointer string, c *openapi3.SchemaError) {
	if f.seen[pointer] {
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[pointer] = true
	given, _ := c.Value.(map[string]any)
	names := make([]string, 0, len(given))
	for name := range given {
		if c.Schema.Properties[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		f.put(pointerTo(pointer, name), ruleUnknown, "is not known here")
	}
}

// form says what a value that breaks its pattern should be: the description
// says it to people, the pattern to programs.
func (f *findings) form(s *openapi3.Schema) string {
	words := f.words
	if s.Description != "" {
		words = s.Description
	}
	if words == "" {
		return "does not have the right form"
	}
	first, size := utf8.DecodeRuneInString(words)
	return "does not have the right form: " + string(unicode.ToLower(first)) + strings.TrimSuffix(words[size:], ".")
}

func article(types []string) string {
	if len(types) != 1 {
		return "one of: " + strings.Join(types, ", ")
	}
	switch types[0] {
	case openapi3.TypeArray, openapi3.TypeObject, openapi3.TypeInteger:
		return "an " + types[0]
	}
	return "a " + types[0]
}

// mostListed is how many values are all listed to who gave another: of more, such as
// the permissions, a few show what they are like.
const mostListed, fewListed = 20, 5

func oneOf(values []any) string {
	if len(values) <= mostListed {
		return "must be one of: " + join(values)
	}
	return fmt.Sprintf("must be one of the %d that the document lists, such as %s", len(values), join(values[:fewListed]))
}

func join(values []any) string {
	words := make([]string, 0, len(values))
	for _, v := range values {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, ", ")
}

func atLeast(n uint64, thing string) string {
	if n == 1 {
		return "must not be empty"
	}
	return "must have at least " + plural(n, thing)
}

func plural(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatUint(n, 10) + " " + thing + "s"
}

func bounds(s *openapi3.Schema) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case s.Min != nil && s.Max != nil:
		return "must be between " + number(*s.Min) + " and " + number(*s.Max)
	case s.Min != nil:
		return "must be at least " + number(*s.Min)
	case s.Max != nil:
		return "must be at most " + number(*s.Max)
	}
	return "is a number beyond what fits"
}

func formatWords(format string) string {
	if format == "date-time" {
		return "must be a date and time as in RFC 3339"
	}
	return "does not have the form of a " + format
}

// snake writes a keyword of JSON Schema the way rules are written.
func snake(keyword string) string {
	var b strings.Builder
	for _, r := range keyword {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// misfit is the fault of a body that the contract allows and Go's types do not
// hold. There is one: JSON knows no integers, so 1.0 is one to the schema.
func misfit(err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return fault.InvalidField("/"+strings.ReplaceAll(wrong.Field, ".", "/"), ruleType,
			"must be an integer without fraction or exponent").Because(err)
	}
	return fault.ErrInvalid.Because(err)
}
