package reference

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// row is a line of a table: a parameter, a header or a field.
type row struct {
	Name, In    string
	Required    bool
	Type        string
	Ref         string // the schema that it has by name
	Limits      string
	Description string
}

// rows lists the fields of an object, those that are needed first.
func rows(s *openapi3.Schema) []row {
	var all []row
	for name, ref := range s.Properties {
		r := row{
			Name: name, Required: slices.Contains(s.Required, name), Type: words(ref), Ref: refName(ref),
			Limits: limits(ref.Value), Description: ref.Value.Description,
		}
		if ref.Value.Items != nil && r.Ref == "" {
			r.Ref = refName(ref.Value.Items)
			if r.Description == "" && r.Ref == "" {
				r.Description = ref.Value.Items.Value.Description
			}
		}
		if r.Ref != "" && ref.Value.Items == nil {
			r.Limits = "" // they are the named schema's
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b row) int {
		switch {
		case a.Required == b.Required:
			return strings.Compare(a.Name, b.Name)
		case a.Required:
			return -1
		}
		return 1
	})
	return all
}

// refName is the name of the schema that a reference points at, or "".
func refName(ref *openapi3.SchemaRef) string {
	if ref == nil {
		return ""
	}
	return strings.TrimPrefix(ref.Ref, "#/components/schemas/")
}

// words say what sort of value it is.
func words(ref *openapi3.SchemaRef) string {
	s := ref.Value
	switch {
	case s.Type.Is(openapi3.TypeArray) && s.Items != nil:
		if name := refName(s.Items); name != "" {
			return "list of " + name
		}
		return "list of " + words(s.Items)
	case refName(ref) != "":
		return refName(ref)
	case s.Type.Is(openapi3.TypeObject) && s.AdditionalProperties.Schema != nil:
		return "map of " + words(s.AdditionalProperties.Schema)
	case s.Type == nil:
		return "any JSON"
	case s.Format == "date-time":
		return "time (RFC 3339)"
	}
	return strings.Join(s.Type.Slice(), " or ")
}

// limits say what bounds the value.
func limits(s *openapi3.Schema) string {
	var all []string
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		all = append(all, "one of `"+strings.Join(values, "`, `")+"`")
	}
	if s.Default != nil {
		all = append(all, fmt.Sprintf("default `%v`", s.Default))
	}
	number := func(v *float64) string { return strconv.FormatFloat(*v, 'f', -1, 64) }
	switch {
	case s.Min != nil && s.Max != nil:
		all = append(all, number(s.Min)+" to "+number(s.Max))
	case s.Min != nil:
		all = append(all, "at least "+number(s.Min))
	case s.Max != nil:
		all = append(all, "at most "+number(s.Max))
	}
	if s.MaxLength != nil && s.Format == "" && len(s.Enum) == 0 {
		all = append(all, between(s.MinLength, *s.MaxLength, "characters"))
	}
	if s.MaxItems != nil {
		all = append(all, between(s.MinItems, *s.MaxItems, "items"))
	}
	if s.Pattern != "" {
		all = append(all, "`"+s.Pattern+"`")
	}
	return strings.Join(all, "; ")
}

func between(low, high uint64, of string) string {
	if low > 0 {
		return fmt.Sprintf("%d to %d %s", low, high, of)
	}
	return fmt.Sprintf("at most %d %s", high, of)
}

// example is a call by curl, ready to be copied.
func example(o operation, op *openapi3.Operation) string {
	lines := []string{`curl "$BULKHEAD_URL` + o.Path + `"`}
	if o.Method != http.MethodGet {
		lines[0] = "curl -X " + o.Method + lines[0][len("curl"):]
	}
	if !o.Public {
		lines = append(lines, `-H "Authorization: Bearer $BULKHEAD_API_KEY"`)
	}
	for _, p := range o.Parameters {
		switch p.Name {
		case "If-Match":
			lines = append(lines, `-H 'If-Match: "…"'`)
		case "Idempotency-Key":
			lines = append(lines, `-H "Idempotency-Key: $(uuidgen)"`)
		}
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Value.Content {
			if media.Schema != nil {
				body, err := json.Marshal(sample(media.Schema.Value, 0))
				if err == nil {
					lines = append(lines, `-H "Content-Type: application/json"`, "-d '"+string(body)+"'")
				}
			}
		}
	}
	return strings.Join(lines, " \\\n  ")
}

// maxSample is how deep an example goes.
const maxSample = 4

// sample returns a value of the schema: what is needed, and what has an example.
func sample(s *openapi3.Schema, depth int) any {
	switch {
	case s.Example != nil:
		return s.Example
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case depth > maxSample || s.Type == nil:
		return "…"
	case s.Type.Is(openapi3.TypeObject):
		out := map[string]any{}
		for name, p := range s.Properties {
			if slices.Contains(s.Required, name) || p.Value.Example != nil {
				out[name] = sample(p.Value, depth+1)
			}
		}
		return out
	case s.Type.Is(openapi3.TypeArray) && s.Items != nil:
		return []any{sample(s.Items.Value, depth+1)}
	case s.Type.Is(openapi3.TypeInteger):
		if s.Min != nil {
			return *s.Min
		}
		return 1
	case s.Type.Is(openapi3.TypeBoolean):
		return true
	case s.Format == "date-time":
		return "2030-01-31T00:00:00Z"
	}
	return "…"
}
