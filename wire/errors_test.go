package wire_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"

	_ "github.com/bulkheadhq/bulkhead/wire" // everything that declares a fault
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

const errorsPage = "../docs/errors.md"

const errorsIntroduction = `# Errors

Every error is a problem (RFC 9457) with the media type ` + "`application/problem+json`" + `:

| field | meaning |
|---|---|
| ` + "`type`" + ` | ` + "`/docs/errors#<code>`" + `: a place on this page |
| ` + "`code`" + ` | the stable code below; decide by it |
| ` + "`status`" + `, ` + "`title`" + ` | the HTTP status, in number and words |
| ` + "`detail`" + ` | the problem in words; may change |
| ` + "`fields`" + ` | with status 400: each broken rule with ` + "`pointer`" + ` (a JSON pointer, or a parameter's name), ` + "`rule`" + ` and ` + "`detail`" + ` |
| ` + "`permission`" + ` | with ` + "`auth.forbidden`" + `: the permission that is missing, where one alone decides |
| ` + "`request_id`" + ` | give it to the operator; it stands in the log |

What is absent, what belongs to another organization and what one may not know of have one answer, 404 ` + "`not_found`" + `, byte for byte.
Unknown, malformed, revoked, disabled and expired keys have one answer, 401 ` + "`auth.unauthenticated`" + `.

The kind decides the status: invalid 400 (or 408, 413, 415, 422 where HTTP has a number of its own), unauthenticated 401, forbidden 403,
not_found 404 (405 for a method), conflict 409, precondition_failed 412 (428 without If-Match), exhausted 429, internal 500, unavailable 503, timeout 504.
With 503 and 504, and with 429 of a rate, ` + "`Retry-After`" + ` says when to come back.

An operation that fails, or stumbles, names one of these codes in its ` + "`failure_code`" + `, and the detail in its ` + "`failure`" + `.

This page is written from the code: ` + "`go test ./wire -update`" + `.

| code | kind | detail |
|---|---|---|
`

func TestErrorsPage(t *testing.T) {
	t.Run("Should tell of every code", func(t *testing.T) {
		is := is.New(t)
		var page strings.Builder
		page.WriteString(errorsIntroduction)
		for _, f := range fault.All() {
			fmt.Fprintf(&page, "| <a id=\"%s\"></a>`%s` | %s | %s |\n", f.Code, f.Code, f.Kind, f.Public)
		}
		page.WriteString("\n## Rules\n\nThe rules that `fields` names.\n\n| rule | meaning |\n|---|---|\n")
		for _, rule := range rulesInSource(t) {
			fmt.Fprintf(&page, "| `%s` | %s |\n", rule, ruleWords[rule])
		}
		if *update {
			is.NoErr(os.WriteFile(errorsPage, []byte(page.String()), 0o600))
		}
		got, err := os.ReadFile(errorsPage)
		is.NoErr(err)
		is.Equal(string(got), page.String()) // go test ./wire -update
	})
}
