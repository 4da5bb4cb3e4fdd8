package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/reference"
	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/fault"
)

// show gets a page of the documentation, which the document does not state.
func (b *bundle) show(method, path string, header ...string) *httptest.ResponseRecorder {
	r := request(method, path, "", "")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.server.ServeHTTP(w, r)
	return w
}

func TestDocumentation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	t.Run("Should serve the document as JSON, whole and without our generator's notes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := b.show(http.MethodGet, "/openapi.json")
		is.Equal(w.Code, http.StatusOK)
		is.Equal(w.Header().Get("Content-Type"), "application/json")
		served, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
		is.NoErr(err)
		is.NoErr(served.Validate(t.Context()))
		is.Equal(served.Paths.Len(), doc.Paths.Len())
		is.True(!strings.Contains(w.Body.String(), "x-go-"))
		is.True(json.Valid(w.Body.Bytes()))
	})

	t.Run("Should have a place for every operation, field and schema in the reference", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		page := b.show(http.MethodGet, "/docs").Body.String()
		for path, item := range doc.Paths.Map() {
			for _, op := range item.Operations() {
				_, article, found := strings.Cut(page, `<article id="`+op.OperationID+`">`)
				is.True(found)
				article, _, _ = strings.Cut(article, "</article>")
				is.True(strings.Contains(article, `<code>`+path+`</code>`))
				is.Equal(strings.Contains(article, "Body, which may be left out"), op.RequestBody != nil && !op.RequestBody.Value.Required)
			}
		}
		for name, schema := range doc.Components.Schemas {
			is.True(strings.Contains(page, `id="schema-`+name+`"`))
			for field := range schema.Value.Properties {
				is.True(strings.Contains(page, `<code>`+field+`</code>`))
			}
		}
	})

	t.Run("Should have a place for every code that a problem's type points at", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		page := b.show(http.MethodGet, "/docs/errors").Body.String()
		for _, f := range fault.All() {
			is.Equal(strings.Count(page, `<tr id="`+f.Code+`">`) == 1, f.Code != errClientGone.Code)
		}
		p := b.problem(b.do(request(http.MethodGet, whoamiURL, "", "")))
		path, code, _ := strings.Cut(p.Type, "#")
		is.Equal(path, "/docs/errors")
		is.True(strings.Contains(page, `id="`+code+`"`))
	})

	for _, path := range []string{"/docs", "/docs/errors"} {
		t.Run("Should need no script, no other file and no other host for "+path, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := b.show(http.MethodGet, path)
			page := w.Body.String()
			is.Equal(w.Header().Get("Content-Type"), "text/html; charset=utf-8")
			for _, never := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", "onclick", "javascript:"} {
				is.True(!strings.Contains(page, never))
			}
			for _, link := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
				is.True(strings.HasPrefix(link[1], "#") || strings.HasPrefix(link[1], "/")) // of this host
				if id, ok := strings.CutPrefix(link[1], "#"); ok {
					is.True(strings.Contains(page, `id="`+id+`"`)) // and there is something
				}
			}
			style := page[strings.Index(page, "<style>")+len("<style>") : strings.Index(page, "</style>")]
			sum := sha256.Sum256([]byte(style))
			policy := w.Header().Get("Content-Security-Policy")
			is.True(strings.Contains(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'"))
			is.True(!strings.Contains(policy, "unsafe"))
			is.Equal(len(regexp.MustCompile(` style="`).FindAllString(page, -1)), 0) // the policy forbids it
		})
	}

	for path := range must(sheets()) {
		t.Run("Should let caches keep, ask after and pack "+path, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			plain := b.show(http.MethodGet, path)
			is.Equal(plain.Header().Get("Cache-Control"), "public, max-age=300")
			again := b.show(http.MethodGet, path, "If-None-Match", plain.Header().Get("ETag"))
			is.Equal(again.Code, http.StatusNotModified)
			is.Equal(again.Body.Len(), 0)
			is.Equal(b.show(http.MethodGet, path, "If-None-Match", "tag").Code, http.StatusBadRequest)

			packed := b.show(http.MethodGet, path, "Accept-Encoding", "br, gzip;q=0.5")
			is.Equal(packed.Header().Get("Content-Encoding"), "gzip")
			is.True(packed.Header().Get("ETag") != plain.Header().Get("ETag")) // a strong tag is of the bytes
			r := must(gzip.NewReader(packed.Body))
			is.Equal(must(io.ReadAll(r)), plain.Body.Bytes())
			for _, refused := range []string{"gzip;q=0", "identity", "gzip; q=0.000"} {
				is.Equal(b.show(http.MethodGet, path, "Accept-Encoding", refused).Header().Get("Content-Encoding"), "")
			}

			head := b.show(http.MethodHead, path)
			is.Equal(head.Body.Len(), 0)
			is.Equal(head.Header().Get("Content-Length"), plain.Header().Get("Content-Length"))
			is.Equal(b.show(http.MethodPost, path).Code, http.StatusMethodNotAllowed)
		})
	}

	t.Run("Should lead who opens the address in a browser to the reference, and nobody else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for accepted, want := range map[string]int{
				"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": http.StatusFound,
				"Text/HTML":           http.StatusFound,
				"":                    http.StatusNotFound,
				"*/*":                 http.StatusNotFound,
				"application/json":    http.StatusNotFound,
				"text/html;q=0, */*":  http.StatusNotFound,
				"text/htmlx, text/ht": http.StatusNotFound,
			} {
				w := b.show(method, "/", "Accept", accepted)
				is.Equal(w.Code, want)
				is.Equal(w.Header().Get("Vary"), "Accept")
				is.Equal(w.Header().Get("Cache-Control"), "no-store")
				is.Equal(w.Header().Get("Location") == "/docs", want == http.StatusFound)
				if want == http.StatusNotFound {
					is.Equal(b.problem(w).Code, "request.no_route")
				}
			}
		}
		is.Equal(b.show(http.MethodGet, "/", "Accept", "text/html", "If-None-Match", "*").Code, http.StatusFound)
	})

	t.Run("Should show what the document says, never as markup", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		hostile := bytes.Replace(api.Document, []byte("summary: The release that is running"), []byte("summary: 'A <b>bold</b> `<i>`'"), 1)
		is.True(!bytes.Equal(hostile, api.Document))
		page := string(must(reference.API(must(openapi3.NewLoader().LoadFromData(hostile)))))
		is.True(!strings.Contains(page, "<b>bold") && !strings.Contains(page, "<i>"))
	})
}
