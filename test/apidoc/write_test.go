package apidoc

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const introduction = `# The API by example

Every operation of Bulkhead's API with a request and its answer. This page is written by a test that takes the same tour on the
running product (` + "`go test ./test/apidoc -update`" + `), so what stands here was answered; identifiers, times and secrets are
replaced, and when a key was last used is left out. The contract, with every field and bound, is [api/openapi.yaml](../../api/openapi.yaml), served at ` + "`/openapi.json`" + ` and, to
read, at ` + "`/docs`" + `.

To follow the tour, start ` + "`make run`" + ` and put the operator's key that it prints into ` + "`OPERATOR_KEY`" + `:

` + "```sh" + `
export BULKHEAD_URL=http://127.0.0.1:7400
export OPERATOR_KEY=$BULKHEAD_API_KEY
` + "```" + `

` + "`ADA_KEY` and `READER_KEY`" + ` are the secrets of answers that say so below. ` + "`FLEET_KEY`" + ` is a worker's key, which an operator makes with
` + "`bulkhead apikey create fleet --org system --scope assignments:read --scope tokens:write`" + `.

`

// write prints the page.
func write(out *strings.Builder, doc *openapi3.T, operations []operation, seen map[string][]shown) {
	out.WriteString(introduction)
	out.WriteString(conventions)
	for _, tag := range doc.Tags {
		fmt.Fprintf(out, "- [%s](#%s): %s\n", tag.Name, tag.Name, strings.TrimSpace(tag.Description))
	}
	last := ""
	for _, op := range operations {
		if op.tag != last {
			last = op.tag
			fmt.Fprintf(out, "\n## %s\n", op.tag)
		}
		fmt.Fprintf(out, "\n### %s\n\n`%s %s` · `%s`\n", op.declared.Summary, op.method, op.path, op.id)
		if d := strings.TrimSpace(op.declared.Description); d != "" {
			fmt.Fprintf(out, "\n%s\n", d)
		}
		for _, s := range seen[op.id] {
			if s.note != "" {
				fmt.Fprintf(out, "\n%s\n", s.note)
			}
			fmt.Fprintf(out, "\n```sh\n%s\n```\n\n```http\n%s```\n", s.request, s.answer)
			if s.keep != "" {
				fmt.Fprintf(out, "\n%s\n", s.keep)
			}
		}
	}
}
