package contract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/contract"
)

const document = `
openapi: 3.0.3
info: {title: t, version: v}
paths:
  /things/{thing}:
    get:
      operationId: getThing
      parameters: [{name: thing, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: d
          headers:
            ETag: {required: true, schema: {type: string, pattern: '^".+"$'}}
            Retry-After: {schema: {type: integer, minimum: 1}}
          content:
            application/json:
              schema:
                type: object
                required: [id, at]
                properties:
                  id: {type: string, maxLength: 4}
                  at: {type: string, format: date-time}
                  kind: {type: string, enum: [a, b]}
                  inner: {type: object, properties: {n: {type: integer}}}
                  labels: {type: object, additionalProperties: {type: string}}
        '304': {description: d}
        default:
          description: d
          content: {application/problem+json: {schema: {type: object}}}
  /things/special:
    get:
      operationId: getSpecial
      responses: {'204': {description: d}}
`

func TestCheck(t *testing.T) {
	t.Parallel()
	c, err := contract.Load([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	good := func() contract.Answer {
		return contract.Answer{
			Method: "GET", Path: "/things/x%2Fy", Status: 200, Header: http.Header{"Content-Type": {"application/json"}, "Etag": {`"1"`}},
			Body: []byte(`{"id":"1","at":"2026-03-01T12:00:00Z","inner":{"n":1},"labels":{"any":"thing"}}`),
		}
	}
	problem := func(body string) contract.Answer {
		return contract.Answer{
			Method: "GET", Path: "/things/x", Status: 409,
			Header: http.Header{"Content-Type": {"application/problem+json"}, "X-Request-Id": {"r"}}, Body: []byte(body),
		}
	}

	methods := func(path, allow string) contract.Answer {
		return contract.Answer{Method: "OPTIONS", Path: path, Status: 204, Header: http.Header{"Allow": {allow}}}
	}

	t.Run("Should accept what is stated", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(c.Check(good()))
		is.NoErr(c.Check(contract.Answer{Method: "GET", Path: "/things/special", Status: 204}))
		is.NoErr(c.Check(contract.Answer{Method: "GET", Path: "/things/x", Status: 304}))
		is.NoErr(c.Check(contract.Answer{Method: "GET", Path: "/nothing", Status: 404}))
		is.NoErr(c.Check(problem(`{"type":"/docs/errors#a.b","code":"a.b","status":409,"request_id":"r"}`)))
		head := good()
		head.Method, head.Body = "HEAD", []byte{}
		is.NoErr(c.Check(head))
		is.NoErr(c.Check(methods("/things/x", "GET, HEAD, OPTIONS")))
	})

	for name, change := range map[string]func(*contract.Answer){
		"a field that is not stated": func(a *contract.Answer) {
			a.Body = []byte(strings.Replace(string(a.Body), `"id"`, `"extra":1,"id"`, 1))
		},
		"a field inside that is not stated": func(a *contract.Answer) { a.Body = []byte(strings.Replace(string(a.Body), `"n"`, `"extra":1,"n"`, 1)) },
		"a field that is missing":           func(a *contract.Answer) { a.Body = []byte(`{"id":"1"}`) },
		"a field that is too long":          func(a *contract.Answer) { a.Body = []byte(strings.Replace(string(a.Body), `"1"`, `"12345"`, 1)) },
		"a time that is none":               func(a *contract.Answer) { a.Body = []byte(strings.Replace(string(a.Body), "T12", "X12", 1)) },
		"a word that is not listed": func(a *contract.Answer) {
			a.Body = []byte(strings.Replace(string(a.Body), `"id"`, `"kind":"c","id"`, 1))
		},
		"null":                              func(a *contract.Answer) { a.Body = []byte("null") },
		"no JSON":                           func(a *contract.Answer) { a.Body = []byte("{") },
		"a status that is not stated":       func(a *contract.Answer) { a.Status = 201 },
		"a media type that is not stated":   func(a *contract.Answer) { a.Header.Set("Content-Type", "text/html") },
		"no media type":                     func(a *contract.Answer) { a.Header.Del("Content-Type") },
		"a header that is missing":          func(a *contract.Answer) { a.Header.Del("Etag") },
		"a header of another form":          func(a *contract.Answer) { a.Header.Set("Etag", "1") },
		"a header twice":                    func(a *contract.Answer) { a.Header.Add("Etag", `"1"`) },
		"a number of a header that is none": func(a *contract.Answer) { a.Header.Set("Retry-After", "soon") },
		"a header that is not stated":       func(a *contract.Answer) { a.Header.Set("X-Extra", "1") },
		"an operation that is not stated":   func(a *contract.Answer) { a.Path = "/nothing" },
		"a body where none is stated":       func(a *contract.Answer) { a.Status = 304 },
		"a problem of another media type":   func(a *contract.Answer) { a.Status = 409 },
		"a problem of another status": func(a *contract.Answer) {
			*a = problem(`{"type":"/docs/errors#a","code":"a","status":400,"request_id":"r"}`)
		},
		"a problem of another type": func(a *contract.Answer) {
			*a = problem(`{"type":"/docs/errors#b","code":"a","status":409,"request_id":"r"}`)
		},
		"a problem of another request": func(a *contract.Answer) {
			*a = problem(`{"type":"/docs/errors#a","code":"a","status":409,"request_id":"s"}`)
		},
		"a problem that names no rule": func(a *contract.Answer) {
			*a = problem(`{"type":"/docs/errors#a","code":"a","status":409,"request_id":"r","fields":[{"pointer":"/a"}]}`)
		},
		"a header that is missing to HEAD":     func(a *contract.Answer) { a.Method = "HEAD"; a.Header.Del("Etag") },
		"a method that is not allowed":         func(a *contract.Answer) { *a = methods("/things/x", "GET, HEAD, POST, OPTIONS") },
		"methods of a path that is not stated": func(a *contract.Answer) { *a = methods("/nothing", "OPTIONS") },
		"a body to a question for methods":     func(a *contract.Answer) { *a = methods("/things/x", "GET, HEAD, OPTIONS"); a.Body = []byte("x") },
		"a 401 without a way to authenticate": func(a *contract.Answer) {
			*a = problem(`{"type":"/docs/errors#a","code":"a","status":401,"request_id":"r"}`)
			a.Status = 401
		},
	} {
		t.Run("Should find "+name, func(t *testing.T) {
			is := is.New(t)
			a := good()
			change(&a)
			is.True(c.Check(a) != nil)
		})
	}
}
