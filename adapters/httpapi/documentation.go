package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/reference"
	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/fault"
)

// The pages that describe the API, and the way to them. They are the only routes beside
// those of the document that they describe; the problems' types point at one of them.
const (
	rootPath      = "/"
	documentPath  = "/openapi.json"
	referencePath = "/docs"
	errorsPath    = "/docs/errors"
)

var documentation = []string{rootPath, documentPath, referencePath, errorsPath}

const htmlMedia = "text/html; charset=utf-8"

// sheet is a fixed answer, made once, that anyone may keep for a while.
type sheet struct {
	endpoint endpoint // for the log
	media    string
	policy   string // Content-Security-Policy
	tag      string // without quotes
	body     []byte
	packed   []byte // the same by gzip
}

// describe adds the pages to the routes.
func describe(router chi.Router) error {
	all, err := sheets()
	for path, p := range all {
		router.Get(path, p.serve)
	}
	router.Get(rootPath, welcome)
	return err
}

var rootEndpoint = endpoint{id: rootPath, route: route{http.MethodGet, rootPath}, public: true} // for the log

// welcome leads a person who has opened the address in a browser to the reference.
// Whoever does not ask for HTML is a program with a wrong address, which a page that
// is 200 would have believe that it is right: there is no such path.
func welcome(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if !accepts(strings.Join(r.Header["Accept"], ","), "text/html") {
		noRoute(w, r)
		return
	}
	exchangeOf(r.Context()).endpoint = &rootEndpoint
	w.Header().Set("Location", referencePath)
	w.WriteHeader(http.StatusFound)
}

// sheets makes the pages, once in a process: what they are made of is compiled in.
var sheets = sync.OnceValues(func() (map[string]*sheet, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		return nil, err
	}
	text, err := asJSON(doc)
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	operations, err := reference.API(doc)
	if err != nil {
		return nil, err
	}
	errors, err := reference.Errors(failures())
	if err != nil {
		return nil, err
	}
	all := map[string]*sheet{
		documentPath:  {media: jsonMedia, policy: noContent[0], body: text},
		referencePath: {media: htmlMedia, policy: reference.Policy(), body: operations},
		errorsPath:    {media: htmlMedia, policy: reference.Policy(), body: errors},
	}
	for path, p := range all {
		if err := p.prepare(path); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// asJSON writes the document without what only our generator reads.
func asJSON(doc *openapi3.T) ([]byte, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	prune(tree)
	return json.Marshal(tree)
}

func prune(node any) {
	switch node := node.(type) {
	case map[string]any:
		maps.DeleteFunc(node, func(name string, _ any) bool { return strings.HasPrefix(name, "x-go-") })
		for _, child := range node {
			prune(child)
		}
	case []any:
		for _, child := range node {
			prune(child)
		}
	}
}

// failures lists all that can fail, but for what no client gets to see.
func failures() []reference.Failure {
	var all []reference.Failure
	for _, f := range fault.All() {
		if f.Code != errClientGone.Code {
			all = append(all, reference.Failure{Error: f, Status: statusOf(f)})
		}
	}
	return all
}

func (p *sheet) prepare(path string) error {
	p.endpoint = endpoint{id: path, route: route{http.MethodGet, path}, public: true}
	sum := sha256.Sum256(p.body)
	p.tag = base64.RawURLEncoding.EncodeToString(sum[:12])
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(p.body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	p.packed = packed.Bytes()
	return nil
}

func (p *sheet) serve(w http.ResponseWriter, r *http.Request) {
	exchangeOf(r.Context()).endpoint = &p.endpoint
	has, err := parseEntityTags("If-None-Match", joined(r.Header["If-None-Match"]))
	if err != nil {
		fail(w, r, err)
		return
	}
	body, tag := p.body, p.tag
	h := w.Header()
	if accepts(r.Header.Get("Accept-Encoding"), "gzip") {
		body, tag = p.packed, p.tag+".gz" // other bytes, another strong tag
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", `"`+tag+`"`)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Content-Security-Policy", p.policy)
	if has.match(tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", p.media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone: there is nobody left to tell
	}
}

// joined is a header that may stand more than once; nil when it does not stand.
func joined(values []string) *string {
	if len(values) == 0 {
		return nil
	}
	all := strings.Join(values, ", ")
	return &all
}

// accepts tells whether a client takes a content coding or a media type by its name,
// and does not say that it rather would not.
func accepts(header, wanted string) bool {
	return slices.ContainsFunc(strings.Split(header, ","), func(one string) bool {
		name, weight, weighed := strings.Cut(one, ";")
		refused := weighed && strings.Trim(strings.TrimPrefix(strings.TrimSpace(weight), "q="), "0.") == ""
		return strings.EqualFold(strings.TrimSpace(name), wanted) && !refused
	})
}
