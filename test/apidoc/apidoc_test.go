// Package apidoc writes docs/api/multi-tenant.md: it takes a tour of the API on
// the real product, every operation once at least, and prints what it asked and
// what it was answered. The page can not say what the product does not do: the
// test takes the tour anew and compares.
//
//	go test ./test/apidoc -update
package apidoc

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

var update = flag.Bool("update", false, "write docs/api/multi-tenant.md anew")

const page = "../../docs/api/multi-tenant.md"

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilt()
	os.Exit(code)
}

func TestPage(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	is.New(t).NoErr(err)
	operations := operationsOf(doc)

	t.Run("Should visit every operation", func(t *testing.T) {
		visited := map[string]bool{}
		for _, s := range tour {
			visited[s.op] = true
		}
		for _, op := range operations {
			if !visited[op.id] {
				t.Errorf("%s: no step of the tour shows it", op.id)
			}
		}
	})

	t.Run("Should say what the product answers", func(t *testing.T) {
		is := is.New(t)
		shown := walk(t, operations)
		var out strings.Builder
		write(&out, doc, operations, shown)
		if *update {
			is.NoErr(os.WriteFile(page, []byte(out.String()), 0o600))
		}
		got, err := os.ReadFile(page)
		is.NoErr(err)
		if string(got) != out.String() {
			t.Errorf("docs/api/multi-tenant.md is not what the product answers; go test ./test/apidoc -update\n%s",
				firstDifference(string(got), out.String()))
		}
	})
}

// firstDifference returns the first lines in which two texts differ.
func firstDifference(old, fresh string) string {
	have, want := strings.Split(old, "\n"), strings.Split(fresh, "\n")
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			return "- " + have[i] + "\n+ " + want[i]
		}
	}
	return "one is longer than the other"
}
