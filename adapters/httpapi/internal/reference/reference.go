// Package reference makes the readable pages of the API: the reference from the
// OpenAPI document, and the list of errors from their declarations. A page is
// one file: it needs no other, no script, and no other host.
package reference

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

//go:embed page.css
var style string

//go:embed api.html
var apiTemplate string

//go:embed errors.html
var errorsTemplate string

var pages = template.Must(template.Must(template.New("api").Funcs(template.FuncMap{"text": inline, "prose": prose}).Parse(apiTemplate)).
	New("errors").Parse(errorsTemplate))

// Policy is the Content-Security-Policy of the pages: their own style, and nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// API returns the reference of a document.
func API(doc *openapi3.T) ([]byte, error) {
	return render("api", struct {
		Style   template.CSS
		Info    *openapi3.Info
		Groups  []group
		Schemas []schema
	}{template.CSS(style), doc.Info, groups(doc), schemas(doc)}) //nolint:gosec // our own file
}

// Failure is one error of the API, and how it shows in HTTP.
type Failure struct {
	*fault.Error
	Status int
}

// Title is the status in words.
func (f Failure) Title() string { return http.StatusText(f.Status) }

// Errors returns the page of all errors, in the order of their codes.
func Errors(failures []Failure) ([]byte, error) {
	return render("errors", struct {
		Style    template.CSS
		Failures []Failure
	}{template.CSS(style), failures}) //nolint:gosec // our own file
}

func render(name string, data any) ([]byte, error) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		return nil, fmt.Errorf("render the page %s: %w", name, err)
	}
	return page.Bytes(), nil
}

// inline renders a text with `code` in it.
func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped just here
}

// prose renders paragraphs, and headings marked by ##.
func prose(text string) template.HTML {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if heading, ok := strings.CutPrefix(strings.TrimSpace(paragraph), "## "); ok {
			b.WriteString("<h3>" + string(inline(heading)) + "</h3>\n")
		} else {
			b.WriteString("<p>" + string(inline(paragraph)) + "</p>\n")
		}
	}
	return template.HTML(b.String()) //nolint:gosec // escaped by inline
}

// group is the operations of one tag.
type group struct {
	Name, Description string
	Operations        []operation
}

type operation struct {
	ID, Method, Path, Summary, Description string
	Permission                             string
	Public, Deprecated                     bool
	Parameters                             []row
	Body                                   *content
	Answers                                []answer
	Example                                string
}

type answer struct {
	Status, Description string
	Headers             []row
	Content             *content
}

// content is a body: of a named schema, or of fields of its own.
type content struct {
	Media, Ref string
	Optional   bool
	Rows       []row
}

type schema struct {
	Name, Description, Words string
	Rows                     []row
}

func groups(doc *openapi3.T) []group {
	byTag := map[string][]operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			tag := "other"
			if len(op.Tags) > 0 {
				tag = op.Tags[0]
			}
			byTag[tag] = append(byTag[tag], newOperation(doc, item, method, path, op))
		}
	}
	var all []group
	for _, tag := range doc.Tags {
		all = append(all, group{tag.Name, tag.Description, byTag[tag.Name]})
		delete(byTag, tag.Name)
	}
	for name, operations := range byTag {
		all = append(all, group{Name: name, Operations: operations})
	}
	for _, g := range all {
		slices.SortFunc(g.Operations, func(a, b operation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), rank(a.Method)-rank(b.Method))
		})
	}
	return all
}

// rank puts what is asked for most first.
func rank(method string) int {
	return slices.Index([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method)
}

func newOperation(doc *openapi3.T, item *openapi3.PathItem, method, path string, op *openapi3.Operation) operation {
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	out := operation{
		ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description,
		Public: len(security) == 0, Deprecated: op.Deprecated,
	}
	out.Permission, _ = op.Extensions["x-permission"].(string)
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		p := ref.Value
		out.Parameters = append(out.Parameters, row{
			Name: p.Name, In: p.In, Required: p.Required, Type: words(p.Schema), Limits: limits(p.Schema.Value), Description: p.Description,
		})
	}
	if op.RequestBody != nil {
		out.Body = newContent(op.RequestBody.Value.Content)
		out.Body.Optional = !op.RequestBody.Value.Required
		for _, media := range op.RequestBody.Value.Content {
			out.Body.Rows = rows(media.Schema.Value) // beside its name: they are what one has to write
		}
	}
	for status, ref := range op.Responses.Map() {
		a := answer{Status: status, Content: newContent(ref.Value.Content)}
		if ref.Value.Description != nil {
			a.Description = *ref.Value.Description
		}
		for name, header := range ref.Value.Headers {
			a.Headers = append(a.Headers, row{Name: name, Required: header.Value.Required, Description: header.Value.Description})
		}
		slices.SortFunc(a.Headers, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
		out.Answers = append(out.Answers, a)
	}
	slices.SortFunc(out.Answers, func(a, b answer) int { return strings.Compare(a.Status, b.Status) })
	out.Example = example(out, op)
	return out
}

func newContent(bodies openapi3.Content) *content {
	for media, value := range bodies {
		c := &content{Media: media}
		if value.Schema == nil {
			return c
		}
		if c.Ref = refName(value.Schema); c.Ref == "" {
			c.Rows = rows(value.Schema.Value)
		}
		return c
	}
	return nil
}

func schemas(doc *openapi3.T) []schema {
	var all []schema
	for name, ref := range doc.Components.Schemas {
		s := schema{Name: name, Description: ref.Value.Description, Rows: rows(ref.Value)}
		if len(s.Rows) == 0 {
			s.Words = strings.TrimSpace(words(&openapi3.SchemaRef{Value: ref.Value}) + " " + limits(ref.Value))
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b schema) int { return strings.Compare(a.Name, b.Name) })
	return all
}
