// Package contract holds answers against api/openapi.yaml: every answer that a
// test sees is one that the document states, to the last field and header.
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkheadhq/bulkhead/api"
)

// general are the headers that any answer may have. The document states them
// once, in its introduction, as OpenAPI has no place for them.
var general = []string{
	"Cache-Control", "Content-Length", "Content-Security-Policy", "Content-Type", "Cross-Origin-Resource-Policy", "Date",
	"Deprecation", "Idempotency-Replayed", "Link", "Ratelimit", "Ratelimit-Policy", "Referrer-Policy", "Strict-Transport-Security", "Sunset",
	"X-Content-Type-Options", "X-Request-Id",
}

// problemType begins the type of every problem; its code follows.
const problemType = "/docs/errors#"

// Contract is a document, ready to hold answers against.
type Contract struct {
	routes []route
}

type route struct {
	method   string
	segments []string
	op       *openapi3.Operation
}

// Load reads a document.
func Load(document []byte) (*Contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	c := &Contract{}
	seen := map[*openapi3.Schema]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c.routes = append(c.routes, route{method, strings.Split(path, "/"), op})
			for _, response := range op.Responses.Map() {
				for _, media := range response.Value.Content {
					closeSchema(media.Schema, seen)
				}
			}
		}
	}
	// What has fewer variables goes first: /roles/{role} must not take /roles/catalogue.
	slices.SortStableFunc(c.routes, func(a, b route) int { return a.variables() - b.variables() })
	return c, nil
}

// API is the product's own contract.
var API = sync.OnceValue(func() *Contract {
	c, err := Load(api.Document)
	if err != nil {
		panic(err)
	}
	return c
})

// closeSchema makes a field that the document does not state a violation. To a
// client such fields are welcome; to us they are mistakes.
func closeSchema(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		s.AdditionalProperties.Has = new(false)
	}
	for _, p := range s.Properties {
		closeSchema(p, seen)
	}
	closeSchema(s.Items, seen)
	closeSchema(s.AdditionalProperties.Schema, seen)
	for _, choices := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		for _, choice := range choices {
			closeSchema(choice, seen)
		}
	}
}

func (r route) variables() (n int) {
	for _, s := range r.segments {
		if strings.HasPrefix(s, "{") {
			n++
		}
	}
	return n
}

func (r route) matches(method string, path []string) bool {
	if r.method != method || len(path) != len(r.segments) {
		return false
	}
	for i, s := range r.segments {
		variable := strings.HasPrefix(s, "{") && path[i] != ""
		if s != path[i] && !variable {
			return false
		}
	}
	return true
}

func (c *Contract) find(method, escapedPath string) *openapi3.Operation {
	path := strings.Split(escapedPath, "/")
	for _, r := range c.routes {
		if r.matches(method, path) {
			return r.op
		}
	}
	return nil
}

// Answer is what came back of a request.
type Answer struct {
	Method, Path string // as it was sent, escaped
	Status       int
	Header       http.Header
	Body         []byte // nil: it was not read
}

// Check returns what the answer has that the document does not state, and what
// it lacks; nil when it is as stated.
func (c *Contract) Check(a Answer) error {
	if a.Method == http.MethodOptions && a.Status == http.StatusNoContent {
		return c.checkMethods(a)
	}
	method := a.Method
	if method == http.MethodHead { // is answered as GET, without the body
		method = http.MethodGet
		if len(a.Body) == 0 {
			a.Body = nil
		}
	}
	op := c.find(method, a.Path)
	if op == nil {
		if a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed {
			return fmt.Errorf("%s %s: the document has no such operation, and the answer is %d", a.Method, a.Path, a.Status)
		}
		return nil
	}
	var failures []error
	if err := checkAnswer(op, a); err != nil {
		failures = append(failures, fmt.Errorf("%s answered %d: %w", op.OperationID, a.Status, err))
	}
	return errors.Join(failures...)
}

// checkMethods checks an answer to OPTIONS: the methods that the document states for
// the path, HEAD with GET, and OPTIONS itself.
func (c *Contract) checkMethods(a Answer) error {
	var want []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if c.find(method, a.Path) == nil {
			continue
		}
		want = append(want, method)
		if method == http.MethodGet {
			want = append(want, http.MethodHead)
		}
	}
	allowed := strings.Join(append(want, http.MethodOptions), ", ")
	switch {
	case want == nil:
		return fmt.Errorf("OPTIONS %s: the document has no such path", a.Path)
	case a.Header.Get("Allow") != allowed:
		return fmt.Errorf("OPTIONS %s: the methods are %s, and the answer says %q", a.Path, allowed, a.Header.Get("Allow"))
	case len(a.Body) > 0:
		return errors.New("an answer to OPTIONS has no body")
	}
	return nil
}

func checkAnswer(op *openapi3.Operation, a Answer) error {
	ref := op.Responses.Status(a.Status)
	if ref == nil && a.Status >= http.StatusBadRequest {
		ref = op.Responses.Default()
	}
	if ref == nil {
		return errors.New("the document does not state the status")
	}
	return errors.Join(checkHeaders(ref.Value, a), checkBody(ref.Value, a), checkProblem(a))
}

func checkHeaders(declared *openapi3.Response, a Answer) error {
	var failures []error
	known := map[string]bool{}
	for name, header := range declared.Headers {
		name = http.CanonicalHeaderKey(name)
		known[name] = true
		values := a.Header[name]
		switch {
		case len(values) == 0 && header.Value.Required:
			failures = append(failures, fmt.Errorf("the header %s is missing", name))
		case len(values) > 1:
			failures = append(failures, fmt.Errorf("the header %s stands %d times", name, len(values)))
		case len(values) == 1:
			if err := checkHeader(header.Value.Schema.Value, values[0]); err != nil {
				failures = append(failures, fmt.Errorf("the header %s: %w", name, err))
			}
		}
	}
	for name := range a.Header {
		if !known[name] && !slices.Contains(general, name) {
			failures = append(failures, fmt.Errorf("the document does not state the header %s", name))
		}
	}
	return errors.Join(failures...)
}

func checkHeader(schema *openapi3.Schema, value string) error {
	if schema.Type.Is(openapi3.TypeInteger) {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return err
		}
		return schema.VisitJSON(float64(n))
	}
	return schema.VisitJSON(value, openapi3.EnableFormatValidation())
}

func checkBody(declared *openapi3.Response, a Answer) error {
	if len(declared.Content) == 0 {
		if len(a.Body) > 0 {
			return errors.New("the document states no body")
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the content type: %w", err)
	}
	content := declared.Content[media]
	if content == nil {
		return fmt.Errorf("the document does not state the media type %s", media)
	}
	if a.Body == nil || !isJSON(media) || content.Schema == nil {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.Body, &value); err != nil {
		return err
	}
	return content.Schema.Value.VisitJSON(value, openapi3.MultiErrors(), openapi3.EnableFormatValidation(), openapi3.VisitAsResponse())
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// checkProblem checks what a schema can not say: that a problem tells of the
// answer which it stands in.
func checkProblem(a Answer) error {
	if a.Status < http.StatusBadRequest || a.Header.Get("Content-Type") != "application/problem+json" || a.Body == nil {
		return nil
	}
	var p struct {
		Type, Code string
		Status     int
		RequestID  string `json:"request_id"`
		Fields     []struct{ Pointer, Rule string }
	}
	if err := json.Unmarshal(a.Body, &p); err != nil {
		return err
	}
	replayed := a.Header.Get("Idempotency-Replayed") != ""
	switch {
	case p.Status != a.Status:
		return fmt.Errorf("the problem says %d", p.Status)
	case p.Type != problemType+p.Code:
		return fmt.Errorf("the problem's type is %s, its code %s", p.Type, p.Code)
	case !replayed && p.RequestID != a.Header.Get("X-Request-Id"):
		return errors.New("the problem has another request's id")
	case a.Status == http.StatusUnauthorized && a.Header.Get("Www-Authenticate") == "":
		return errors.New("it does not say how to authenticate")
	}
	for _, f := range p.Fields {
		if f.Rule == "" {
			return fmt.Errorf("the problem names no rule for %q", f.Pointer)
		}
	}
	return nil
}
