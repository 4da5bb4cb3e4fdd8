package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

func TestEntityTags(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		header       string
		any          bool
		strong, weak []string
	}{
		{`"a"`, false, []string{"a"}, nil},
		{` "a" `, false, []string{"a"}, nil},
		{`"a","b" , "c"`, false, []string{"a", "b", "c"}, nil},
		{`"a",W/"b"`, false, []string{"a"}, []string{"b"}},
		{`"a, b"`, false, nil, nil}, // a space is no character of a tag
		{`"a,b"`, false, []string{"a,b"}, nil},
		{`""`, false, []string{""}, nil},
		{`, "a",, "b",`, false, []string{"a", "b"}, nil},
		{"*", true, nil, nil},
		{" * ", true, nil, nil},
		{"", false, nil, nil},
		{"a", false, nil, nil},
		{`"a`, false, nil, nil},
		{`a"`, false, nil, nil},
		{`"a""b"`, false, nil, nil},
		{`"a" "b"`, false, nil, nil},
		{`w/"a"`, false, nil, nil},
		{`W/a`, false, nil, nil},
		{`W/ "a"`, false, nil, nil},
		{`*, "a"`, false, nil, nil},
		{`"a", *`, false, nil, nil},
		{"\"a\x00\"", false, nil, nil},
	} {
		t.Run("Should read "+c.header, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got, err := parseEntityTags("If-Match", &c.header)
			if !c.any && c.strong == nil && c.weak == nil {
				is.Equal(fault.From(err).Fields[0], fault.Field{Pointer: "If-Match", Rule: "format", Detail: "must be * or a list of quoted entity tags"})
				return
			}
			is.NoErr(err)
			is.Equal(got, entityTags{any: c.any, strong: c.strong, weak: c.weak})
		})
	}

	t.Run("Should compare weakly for If-None-Match", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		tags, err := parseEntityTags("If-None-Match", new(`W/"a", "b"`))
		is.NoErr(err)
		is.True(tags.match("a") && tags.match("b") && !tags.match("c"))
		is.True(entityTags{any: true}.match("c"))
		is.True(!entityTags{}.match(""))
	})
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	h := &handlers{Deps: Deps{ETagKey: []byte("a key of this test")}}
	other := &handlers{Deps: Deps{ETagKey: []byte("another key")}}
	org := id.New[id.OrgKind]()
	tag := func(version int64) string { return h.etag(org, "usr_1", version) }

	for name, c := range map[string]struct {
		header string
		want   int64
	}{
		"the version that it names":        {tag(7), 7},
		"a large one":                      {tag(1 << 62), 1 << 62},
		"the last of several":              {tag(7) + ", " + tag(9) + "," + tag(8), 9},
		"one among those of other things":  {`"x", ` + tag(7) + `, "9.AAAAAAAAAAAAAAAA"`, 7},
		"any":                              {"*", 0},
		"none by a weak tag":               {"W/" + tag(7), -1},
		"the strong one beside a weak one": {"W/" + tag(9) + ", " + tag(7), 7},
		"none of another thing":            {h.etag(org, "usr_2", 7), -1},
		"none of another organization":     {h.etag(id.New[id.OrgKind](), "usr_1", 7), -1},
		"none of another deployment":       {other.etag(org, "usr_1", 7), -1},
		"none that was made up":            {`"7"`, -1},
		"none by the proof of another":     {strings.Replace(tag(7), "7.", "8.", 1), -1},
		"none with a sign":                 {strings.Replace(tag(7), "7.", "+7.", 1), -1},
		"none with a zero before it":       {strings.Replace(tag(7), "7.", "07.", 1), -1},
		"none that is cut":                 {tag(7)[:len(tag(7))-2] + `"`, -1},
		"none by an empty tag":             {`""`, -1},
		"none of version 0":                {tag(0), -1},
	} {
		t.Run("Should take "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got, err := h.ifMatch(&c.header, org, "usr_1")
			if c.want < 0 {
				is.True(errors.Is(err, fault.ErrStale))
				return
			}
			is.NoErr(err)
			is.Equal(got, c.want)
		})
	}

	t.Run("Should need the header", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := h.ifMatch(nil, org, "usr_1")
		is.True(errors.Is(err, errNoPrecondition))
		is.Equal(statusOf(fault.From(err)), http.StatusPreconditionRequired)
		is.Equal(statusOf(fault.ErrStale), http.StatusPreconditionFailed)
	})
}

// TestPreconditions holds every change of a resource to the same convention.
func TestPreconditions(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !slices.Contains([]string{http.MethodPatch, http.MethodPut, http.MethodDelete}, method) {
				continue
			}
			reason, excused := op.Extensions["x-no-if-match"].(string)
			t.Run("Should say what it is meant for, or why it need not: "+op.OperationID, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				takes := op.Parameters.GetByInAndName(openapi3.ParameterInHeader, "If-Match") != nil
				is.True(takes != (excused && len(reason) > 20))
				if !takes {
					return
				}
				read := doc.Paths.Value(path).Get
				is.True(read != nil)                                              // one can see the version
				is.True(read.Responses.Value("200").Value.Headers["ETag"] != nil) // and is told it
				if changed := op.Responses.Value("200"); changed != nil {         // and the next one
					is.True(changed.Value.Headers["ETag"] != nil)
				}
			})
			t.Run("Should refuse to change what has changed: "+op.OperationID, func(t *testing.T) {
				t.Parallel()
				if excused {
					return
				}
				is := is.New(t)
				b := setup(t)
				call := func(tag string) int {
					r := b.calls()[op.OperationID]
					is.True(r != nil) // every operation has a request in calls
					r.Header.Del("If-Match")
					if tag != "" {
						r.Header.Set("If-Match", tag)
					}
					return b.do(r).Code
				}
				is.Equal(call(""), http.StatusPreconditionRequired)
				is.Equal(call(`"1.AAAAAAAAAAAAAAAA"`), http.StatusPreconditionFailed)
				is.Equal(call(`tag`), http.StatusBadRequest)
			})
		}
	}
}
