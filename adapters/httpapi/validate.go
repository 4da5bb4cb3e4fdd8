package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// jsonMedia is the one media type of bodies.
const jsonMedia = "application/json"

// validate checks the request against the contract, before anything is bound to
// Go values: the generated code is lenient, and what it drops or mends would be
// a rule that the contract states and nobody keeps.
func (s *Server) validate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context()).endpoint
		err := e.checkParameters(r)
		if err == nil {
			err = e.checkBody(r, s.config.MaxBody)
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkParameters checks all parameters and names every rule that they break.
func (e *endpoint) checkParameters(r *http.Request) error {
	fields := e.checkPath(r)
	if len(e.query) > 0 || r.URL.RawQuery != "" {
		fields = append(fields, e.checkQuery(r.URL.RawQuery)...)
	}
	for _, p := range e.header {
		switch given := r.Header[p.name]; len(given) {
		case 0:
		case 1:
			fields = append(fields, p.check(given[0])...)
		default:
			fields = append(fields, fault.Field{Pointer: p.name, Rule: ruleRepeated, Detail: "must stand in the request once"})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return fault.ErrInvalid.WithFields(fields...)
}

func (e *endpoint) checkPath(r *http.Request) []fault.Field {
	if len(e.path) == 0 {
		return nil
	}
	var fields []fault.Field
	for _, p := range e.path {
		value, err := pathValue(r, p.name)
		if err != nil {
			fields = append(fields, fault.Field{Pointer: p.name, Rule: ruleEncoding, Detail: "is not percent-encoded as it should be"})
			continue
		}
		fields = append(fields, p.check(value)...)
	}
	return fields
}

// pathValue returns the value of a parameter in the path.
func pathValue(r *http.Request, name string) (string, error) {
	value := chi.RouteContext(r.Context()).URLParam(name)
	if r.URL.RawPath == "" {
		return value, nil
	}
	// The router matched the path as it was sent, so that an encoded slash is
	// part of a value. The generated code decodes it by the same rule.
	return url.PathUnescape(value)
}

func (e *endpoint) checkQuery(raw string) []fault.Field {
	given, err := url.ParseQuery(raw)
	if err != nil {
		return []fault.Field{{Pointer: "query", Rule: ruleEncoding, Detail: "is not a query of name=value pairs, percent-encoded and joined by &"}}
	}
	var fields []fault.Field
	for _, p := range e.query {
		switch values := given[p.name]; len(values) {
		case 0:
			if p.required {
				fields = append(fields, fault.Field{Pointer: p.name, Rule: ruleRequired, Detail: "must stand in the query"})
			}
		case 1:
			fields = append(fields, p.check(values[0])...)
		default:
			fields = append(fields, fault.Field{Pointer: p.name, Rule: ruleRepeated, Detail: "must stand in the query once"})
		}
		delete(given, p.name)
	}
	unknown := make([]string, 0, len(given))
	for name := range given {
		unknown = append(unknown, strings.ToValidUTF8(name, "�"))
	}
	slices.Sort(unknown) // the same answer to the same request
	for _, name := range unknown {
		fields = append(fields, fault.Field{Pointer: name, Rule: ruleUnknown, Detail: "is not a parameter of this operation"})
	}
	return fields
}

// integerForm is the grammar of an integer in JSON. Go's own parser would take
// "+1" and "007" as well.
var integerForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// check checks one value of the parameter.
func (p *parameter) check(value string) []fault.Field {
	switch {
	case !utf8.ValidString(value):
		return []fault.Field{{Pointer: p.name, Rule: ruleEncoding, Detail: "must be valid UTF-8"}}
	case strings.ContainsRune(value, 0):
		return []fault.Field{{Pointer: p.name, Rule: ruleCharacters, Detail: "must not hold NUL"}}
	case p.truth:
		if value != "true" && value != "false" {
			return []fault.Field{{Pointer: p.name, Rule: ruleType, Detail: "must be true or false"}}
		}
		return nil
	case !p.number:
		return broken(p.schema, value, p.name, p.words)
	case !integerForm.MatchString(value):
		return []fault.Field{{Pointer: p.name, Rule: ruleType, Detail: "must be an integer"}}
	}
	return broken(p.schema, json.Number(value), p.name, p.words)
}

// checkBody checks the body and leaves it for the generated decoder.
func (e *endpoint) checkBody(r *http.Request, limit int64) error {
	if e.body == nil {
		return refuseBody(r)
	}
	raw, err := e.readJSON(r, limit)
	if err != nil {
		return err
	}
	value, err := parseStrict(raw)
	if err != nil {
		return err
	}
	if fields := broken(e.body, value, "", ""); len(fields) > 0 {
		return fault.ErrInvalid.WithFields(fields...)
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	exchangeOf(r.Context()).further = e.items.weigh(value)
	return nil
}

// emptyObject stands for a body that need not be sent, and was not: from here on
// the request is the one that sends it, with the same fingerprint.
var emptyObject = []byte("{}")

// readJSON reads the body. One that need not be sent is absent when there is neither
// a byte nor a word of what it is: who says that it is JSON has to send some, and who
// sends some has to say so.
func (e *endpoint) readJSON(r *http.Request, limit int64) ([]byte, error) {
	err := checkMedia(r.Header)
	if err != nil && (e.bodyRequired || r.Header["Content-Type"] != nil || r.Header["Content-Encoding"] != nil) {
		return nil, err
	}
	raw, broken := readBody(r, limit)
	switch {
	case broken != nil:
		return nil, broken
	case err == nil:
		return raw, nil
	case len(raw) == 0:
		return emptyObject, nil
	}
	return nil, err
}

// refuseBody fails when a body came that the operation would ignore. One that is
// sent in chunks tells by its first byte whether it is there.
func refuseBody(r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	var first [1]byte
	if n, err := io.ReadFull(r.Body, first[:]); n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return errUnexpectedBody.WithFields(fault.Field{Rule: ruleUnknown, Detail: "must not be sent"})
}

func checkMedia(h http.Header) error {
	coding := h.Get("Content-Encoding")
	if given := h["Content-Type"]; len(given) == 1 && (coding == "" || strings.EqualFold(coding, "identity")) {
		media, params, err := mime.ParseMediaType(given[0])
		charset, named := params["charset"]
		if err == nil && media == jsonMedia && (!named || strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return errMediaType
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	// The connection's own writer, not ours, as net/http then closes a connection
	// whose body was not read to its end.
	raw, err := io.ReadAll(http.MaxBytesReader(exchangeOf(r.Context()).ResponseWriter, r.Body, limit))
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case err == nil:
		return raw, nil
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errBodySlow.Because(err)
	}
	return nil, errBodyBroken.Because(err)
}
