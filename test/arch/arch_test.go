// Package arch_test holds the architecture to its rules: who may import whom, and how large a thing may grow.
// The rules with their reasons are in rules_test.go; docs/architecture.md explains them.
package arch_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"
)

func TestTree(t *testing.T) {
	t.Parallel()

	t.Run("Should hold to every rule", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		violations, err := check(os.DirFS("../.."))
		is.NoErr(err)
		for _, v := range violations {
			t.Error(v)
		}
	})
}

// fault is a file that breaks a rule.
type fault struct{ rule, file, text string }

// faults plants, for each rule, the smallest trees that break it and nothing else.
var faults = []fault{
	{"core is pure", "core/org/org.go", source("org", "net/http")},
	{"core is pure", "core/org/org.go", source("org", "log/slog")},
	{"a use case does no I/O of its own", "core/usecase/orgs/orgs.go", source("orgs", "os/exec")},
	{"core is pure", "core/org/org.go", source("org", "golang.org/x/text/cases")},
	{"core packages stand alone", "core/org/org.go", source("org", module+"/core/user")},
	{"core packages stand alone", "core/org/org.go", source("org", module+"/ports")},
	{"core packages stand alone", "core/id/id.go", source("id", module+"/sdk")},
	{"a use case sees core and ports", "core/usecase/orgs/orgs.go", source("orgs", module+"/adapters/config")},
	{"a use case sees core and ports", "core/usecase/orgs/orgs.go", source("orgs", module+"/ports/porttest")},
	{"a use case never calls another", "core/usecase/orgs/orgs.go", source("orgs", module+"/core/usecase/users")},
	{"ports see the domain only", "ports/store.go", source("ports", module+"/adapters/config")},
	{"ports know no use case", "ports/store.go", source("ports", module+"/core/usecase/orgs")},
	{"ports name no technology", "ports/store.go", source("ports", "github.com/redis/go-redis/v9")},
	{"ports name no technology", "ports/store.go", source("ports", "database/sql")},
	{"HTTP adds the contract", "adapters/httpapi/server.go", source("httpapi", module+"/adapters/config")},
	{"adapters never meet", "adapters/temporal/worker/worker.go", source("worker", module+"/adapters/postgres")},
	{"HTTP adds the contract", "adapters/httpapi/server.go", source("httpapi", module+"/wire")},
	{"HTTP adds the contract", "adapters/httpapi/server.go", source("httpapi", module+"/sdk")},
	{"the CLI adds the SDK", "adapters/cli/cli.go", source("cli", module+"/adapters/postgres")},
	{"HTTP adds the contract", "adapters/httpapi/server.go", source("httpapi", module+"/sql")},
	{"Postgres adds the SQL", "adapters/postgres/store.go", source("postgres", module+"/sdk")},
	{"workflows are deterministic", "adapters/temporal/workflows/w.go", source("workflows", "math/rand/v2")},
	{"workflows are deterministic", "adapters/temporal/workflows/w.go", source("workflows", module+"/core/usecase/orgs")},
	{"workflows are deterministic", "adapters/temporal/workflows/w.go", source("workflows", "go.temporal.io/sdk/client")},
	{"the SDK stands alone", "sdk/fleet.go", source("sdk", module+"/core/id")},
	{"contracts import nothing", "sql/sql.go", source("sql", module+"/core/id")},
	{"a command only starts things", "cmd/bulkhead/main.go", source("main", module+"/adapters/postgres")},
	{"a command only starts things", "cmd/bulkhead/main.go", source("main", "golang.org/x/sync/errgroup")},
	{"the dev stack is a user of the product", "cmd/bulkhead-dev/main.go", source("main", module+"/adapters/postgres")},
	{"pgx stays in adapters/postgres", "adapters/httpapi/server.go", source("httpapi", "github.com/jackc/pgx/v5")},
	{"chi stays in adapters/httpapi", "adapters/cli/cli.go", source("cli", "github.com/go-chi/chi/v5")},
	{"Prometheus stays in adapters/telemetry", "adapters/cli/cli.go", source("cli", "github.com/prometheus/client_golang/prometheus")},
	{"Redis stays in adapters/buckets", "adapters/cli/cli.go", source("cli", "github.com/redis/go-redis/v9")},
	{"Temporal stays in adapters/temporal and sdk", "adapters/cli/cli.go", source("cli", "go.temporal.io/sdk/client")},
	{"Temporal's server is not in the product", "adapters/temporal/server.go", source("temporal", "go.temporal.io/server/temporal")},
	{"Temporal's server is not in the product", "test/e2e/e2e_test.go", source("e2e", "go.temporal.io/server/temporal")},
	{"google/wire stays in wire", "adapters/cli/cli.go", source("cli", "github.com/google/wire")},
	{"urfave/cli stays in adapters/cli", "adapters/config/config.go", source("config", "github.com/urfave/cli/v2")},
	{ruleParses, "core/org/org.go", "package org\n\nfunc {"},
	{ruleGoMod, "go.mod", "module m\n\nrequire go.temporal.io/server v1.32.1\n"},
	{ruleNaming, "adapters/httpapi/util/strings.go", source("util")},
	{ruleNaming, "core/org/org.go", source("helpers")},
	{ruleFileLength, "core/org/org.go", source("org") + strings.Repeat("\n", maxFileLines)},
	{ruleFileLength, "core/org/org.go", source("org") + "\n// Long file:" + strings.Repeat("\n", maxFileLines)},
	{ruleHandler, "adapters/httpapi/orgs.go", source("httpapi") + handler("*Handlers", maxHandlerLines+1)},
	{ruleHandler, "adapters/httpapi/orgs.go", source("httpapi") + handler("handlers", maxHandlerLines+1)},
	{ruleMain, "cmd/bulkhead/main.go", source("main") + strings.Repeat("\n", maxMainLines)},
}

func TestCheck(t *testing.T) {
	t.Parallel()

	for _, fault := range faults {
		t.Run(fmt.Sprintf("Should find a fault in %s against: %s", fault.file, fault.rule), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			violations, err := check(tree(map[string]string{fault.file: fault.text}))
			is.NoErr(err)
			broken := rulesOf(violations)
			is.True(slices.Contains(broken, fault.rule)) // the rule trips
			for _, other := range broken {
				is.True(other == fault.rule || overlaps(fault.rule, other)) // and no unrelated rule does
			}
		})
	}

	t.Run("Should have a planted fault for each rule", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		rules := []string{ruleParses, ruleGoMod, ruleNaming, ruleFileLength, ruleHandler, ruleMain}
		for _, r := range importRules {
			is.True(r.Name != "" && r.Reason != "") // a rule nobody can explain is not kept
			rules = append(rules, r.Name)
		}
		for _, name := range rules {
			planted := slices.ContainsFunc(faults, func(f fault) bool { return f.rule == name })
			is.True(planted) // each rule is known to trip
		}
	})

	t.Run("Should accept what the design allows", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		violations, err := check(sound)
		is.NoErr(err)
		is.Equal(violations, nil)
	})
}

// sound is a tree with the imports that the design allows, at their most generous.
var sound = tree(map[string]string{
	"go.mod":                  "module m\n\nrequire go.temporal.io/sdk v1.50.0\n",
	"cmd/bulkhead-dev/go.mod": "module m\n\nrequire go.temporal.io/server v1.32.1\n",

	"core/id/id.go":             source("id", "crypto/rand", "time", uuid),
	"core/org/org.go":           source("org", module+"/core/id", module+"/core/fault"),
	"core/org/org_test.go":      source("org_test", module+"/core/user", "os", "github.com/matryer/is"),
	"core/usecase/orgs/orgs.go": source("orgs", "context", module+"/core/org", module+"/ports"),
	"ports/store.go":            source("ports", "context", module+"/core/org"),
	"ports/porttest/store.go":   source("porttest", "testing", module+"/ports", "github.com/matryer/is"),

	"adapters/cli/cli.go":                 source("cli", "os", module+"/sdk", "github.com/urfave/cli/v2"),
	"adapters/httpapi/server.go":          source("httpapi", module+"/adapters/httpapi/internal/gen", "github.com/go-chi/chi/v5"),
	"adapters/httpapi/orgs.go":            source("httpapi") + handler("*Handlers", maxHandlerLines) + handler("*Server", 90),
	"adapters/postgres/store.go":          source("postgres", module+"/sql", "github.com/jackc/pgx/v5"),
	"adapters/temporal/client.go":         source("temporal", module+"/adapters/temporal/workflows", "go.temporal.io/sdk/client"),
	"adapters/temporal/workflows/move.go": source("workflows", "time", "go.temporal.io/sdk/workflow"),

	"sdk/fleet.go":             source("sdk", "net/http", "go.temporal.io/sdk/worker"),
	"wire/wire.go":             source("wire", module+"/adapters/postgres", "github.com/google/wire"),
	"cmd/bulkhead/main.go":     source("main", "os", module+"/adapters/cli", module+"/wire"),
	"cmd/bulkhead-dev/main.go": source("main", "go.temporal.io/server/temporal", "github.com/urfave/cli/v2"),
	"test/e2e/e2e.go":          source("e2e", module+"/wire", module+"/sdk", "github.com/jackc/pgx/v5"),

	"core/long/long.go":        source("long") + "\n// Long file: one table.\n" + strings.Repeat("\n", maxFileLines),
	"core/gen/gen.go":          "// Code generated by a test. DO NOT EDIT.\n\n" + source("gen") + strings.Repeat("\n", maxFileLines),
	"bin/util/util.go":         "not even Go",
	"core/org/testdata/bad.go": "not even Go",
})

func tree(files map[string]string) fs.FS {
	made := fstest.MapFS{}
	for name, text := range files {
		made[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return made
}

// overlaps names the rules that rightly trip together: what is foreign to a layer may be foreign to the whole
// product as well.
func overlaps(rule, other string) bool {
	return slices.Contains([][2]string{
		{"Temporal's server is not in the product", "Temporal stays in adapters/temporal and sdk"},
		{"a use case never calls another", "a use case sees core and ports"},
		{"ports name no technology", "Redis stays in adapters/buckets"},
	}, [2]string{rule, other})
}

func rulesOf(violations []violation) []string {
	var names []string
	for _, v := range violations {
		names = append(names, v.Rule)
	}
	return names
}

// source is a Go file of one package clause and its imports.
func source(pkg string, imports ...string) string {
	text := "package " + pkg + "\n"
	for _, imported := range imports {
		text += fmt.Sprintf("\nimport _ %q\n", imported)
	}
	return text
}

// handler is a method with so many lines.
func handler(receiver string, lines int) string {
	return "\nfunc (" + receiver + ") Handle() {" + strings.Repeat("\n", lines-1) + "}\n"
}
