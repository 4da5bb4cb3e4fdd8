package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Canonical returns the one form of a JSON value that is hashed: no space, names
// in the order of their bytes, and numbers that no store writes differently. It
// is also the guard of the trail: a text that holds what may be an API key is
// blotted out, wherever it stands. The canonical form of a canonical form is
// itself, also after a journey through jsonb.
func Canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(settled(v)); err != nil { // names of objects are sorted
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// settled returns the value with every text cleaned, and every number that has
// more than one spelling as a text.
func settled(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v)
	case json.Number:
		if s := v.String(); strings.ContainsAny(s, ".eE") || s == "-0" {
			return s
		}
		return v
	case []any:
		for i := range v {
			v[i] = settled(v[i])
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, of := range v {
			out[clean(name)] = settled(of)
		}
		return out
	}
	return v
}
