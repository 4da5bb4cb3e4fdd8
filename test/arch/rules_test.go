package arch_test

// A rule is one line of the import rule: a file below one of the In folders may import what Allow lists;
// of the rest, nothing that Deny lists.
//
// Folders and imports are patterns of segments: "*" stands for exactly one segment, a closing "..." for any
// number of them. What stars of In matched is available in Allow as {1}, {2}, … An import of this module is
// written "./core/org", one of the standard library as itself ("net/http") or, all of them, as "std/...", one
// from another module as its path ("github.com/…") or, all of them, as "other/...".
type rule struct {
	Name   string
	In     []string
	NotIn  []string
	Deny   []string
	Allow  []string
	Tests  bool   // true: holds for _test.go files and below test/ as well
	Reason string // shown with each violation: what the rule buys
}

// uuid is the one foreign package of the core: an id is a UUID, and it has no dependency of its own.
const uuid = "github.com/google/uuid"

// impure lists what the standard library has of I/O, processes and logs. LogValue of log/slog is not needed to
// keep a secret out of logs: String, Format and MarshalText are.
var impure = []string{
	"bufio", "crypto/tls", "database/sql/...", "flag", "html/template", "io/ioutil", "log/...", "net",
	"net/http/...", "net/rpc/...", "net/smtp", "net/textproto", "os/...", "plugin", "runtime/...", "syscall",
	"testing/...",
}

var importRules = []rule{
	{
		Name:   "core is pure",
		In:     []string{"core/..."},
		Deny:   append([]string{"other/..."}, impure...),
		Allow:  []string{uuid},
		NotIn:  []string{"core/usecase/..."},
		Reason: "a decision that does no I/O is tested by a table and read without a running system",
	},
	{
		Name:   "a use case does no I/O of its own",
		In:     []string{"core/usecase/..."},
		Deny:   append([]string{"other/..."}, impure...),
		Allow:  []string{uuid, "log/slog"},
		Reason: "a use case reaches the world through ports; one that runs for ever has nobody to return an error to but the log",
	},
	{
		Name:   "core packages stand alone",
		In:     []string{"core/*/..."},
		NotIn:  []string{"core/usecase/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/id", "./core/fault", "./core/page", "./core/authz", "./core/text", "./core/ratelimit", "./core/limit", "./core/{1}/..."},
		Reason: "aggregates that know each other cannot change alone; what joins them is a use case",
	},
	{
		Name:   "a use case sees core and ports",
		In:     []string{"core/usecase/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/...", "./ports"},
		Reason: "a use case that knows a technology cannot outlive it",
	},
	{
		Name:   "a use case never calls another",
		In:     []string{"core/usecase/*/..."},
		Deny:   []string{"./core/usecase/..."},
		Allow:  []string{"./core/usecase/{1}/..."},
		Reason: "one use case is one authorization and one transaction; two nested are neither",
	},
	{
		Name:   "ports see the domain only",
		In:     []string{"ports/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/...", "./ports/..."},
		Reason: "a port is what core needs, said in core's words",
	},
	{
		Name:   "ports know no use case",
		In:     []string{"ports/..."},
		Deny:   []string{"./core/usecase/..."},
		Reason: "use cases depend on ports; the other direction is a cycle waiting to be closed",
	},
	{
		Name:   "ports name no technology",
		In:     []string{"ports/..."},
		NotIn:  []string{"ports/porttest/..."},
		Deny:   append([]string{"other/..."}, impure...),
		Allow:  []string{uuid},
		Reason: "a port that names one technology cannot be implemented by a second one",
	},
	{
		Name:   "adapters never meet",
		In:     []string{"adapters/*/..."},
		NotIn:  []string{"adapters/cli/...", "adapters/httpapi/...", "adapters/postgres/...", "adapters/temporal/workflows/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/...", "./ports", "./adapters/{1}/..."},
		Reason: "each technology is replaced alone; wire is the one place where adapters meet",
	},
	{
		Name:   "the CLI adds the SDK",
		In:     []string{"adapters/cli/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/...", "./ports", "./adapters/cli/...", "./sdk/..."},
		Reason: "the CLI is a client of the API, and of no other adapter",
	},
	{
		Name:   "HTTP adds the contract",
		In:     []string{"adapters/httpapi/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/...", "./ports", "./adapters/httpapi/...", "./api"},
		Reason: "the document is embedded beside the file it is written in, and requests are checked against it by one adapter",
	},
	{
		Name:   "Postgres adds the SQL",
		In:     []string{"adapters/postgres/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./core/...", "./ports", "./adapters/postgres/...", "./sql"},
		Reason: "the migrations are embedded beside the SQL they are written in, and applied by one adapter",
	},
	{
		Name: "workflows are deterministic",
		In:   []string{"adapters/temporal/workflows/..."},
		Deny: append([]string{"./...", "other/...", "crypto/rand", "math/rand/...", "sync/..."}, impure...),
		Allow: []string{
			"./adapters/temporal/workflows/...",
			"go.temporal.io/api/enums/v1", "go.temporal.io/sdk/temporal", "go.temporal.io/sdk/workflow",
		},
		Reason: "a workflow is replayed from its history: it may depend on nothing but that and its own payloads",
	},
	{
		Name:   "the SDK stands alone",
		In:     []string{"sdk/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./sdk/..."},
		Reason: "users import the SDK: it must build when it is copied out of this repository",
	},
	{
		Name:   "contracts import nothing",
		In:     []string{"api/...", "sql/..."},
		Deny:   []string{"./...", "other/..."},
		Reason: "api and sql are embedded text, the source of generated code and not a consumer of any",
	},
	{
		Name:   "a command only starts things",
		In:     []string{"cmd/bulkhead/..."},
		Deny:   []string{"./...", "other/..."},
		Allow:  []string{"./cmd/bulkhead/...", "./adapters/cli", "./adapters/config", "./wire"},
		Reason: "what a main package does cannot be tested or reused",
	},
	{
		Name:   "the dev stack is a user of the product",
		In:     []string{"cmd/bulkhead-dev/..."},
		Deny:   []string{"./..."},
		Allow:  []string{"./cmd/bulkhead-dev/...", "./adapters/cli", "./adapters/config", "./wire", "./sdk/..."},
		Reason: "a dev stack that reaches into the product hides what a production set-up would miss",
	},
	{
		Name:   "pgx stays in adapters/postgres",
		In:     []string{"..."},
		NotIn:  []string{"adapters/postgres/...", "cmd/bulkhead-dev/..."},
		Deny:   []string{"github.com/jackc/..."},
		Reason: "tenant scope and error translation have one choke point only while nobody else in the product talks to Postgres",
	},
	{
		Name:   "chi stays in adapters/httpapi",
		In:     []string{"..."},
		NotIn:  []string{"adapters/httpapi/..."},
		Deny:   []string{"github.com/go-chi/..."},
		Reason: "all routes are in one file, behind one chain of middleware",
	},
	{
		Name:   "Prometheus stays in adapters/telemetry",
		In:     []string{"..."},
		NotIn:  []string{"adapters/telemetry/..."},
		Deny:   []string{"github.com/prometheus/..."},
		Reason: "metrics have bounded labels and name no tenant only while one file declares them all",
	},
	{
		Name:   "Redis stays in adapters/buckets",
		In:     []string{"..."},
		NotIn:  []string{"adapters/buckets/..."},
		Deny:   []string{"github.com/redis/..."},
		Reason: "Redis holds nothing but the state of rates, so that losing it loses nothing else",
	},
	{
		Name:   "Temporal stays in adapters/temporal and sdk",
		In:     []string{"..."},
		NotIn:  []string{"adapters/temporal/...", "sdk/...", "cmd/bulkhead-dev/..."},
		Deny:   []string{"go.temporal.io/..."},
		Reason: "the namespace of a call is decided in one place, from the organization's row",
	},
	{
		Name:   "Temporal's server is not in the product",
		In:     []string{"..."},
		NotIn:  []string{"cmd/bulkhead-dev/..."},
		Deny:   []string{"go.temporal.io/server/..."},
		Tests:  true,
		Reason: "the product binary stays light; the embedded server has its own module, cmd/bulkhead-dev",
	},
	{
		Name:   "google/wire stays in wire",
		In:     []string{"..."},
		NotIn:  []string{"wire/..."},
		Deny:   []string{"github.com/google/wire/..."},
		Reason: "the library is unmaintained: leaving it must be an afternoon's work",
	},
	{
		Name:   "urfave/cli stays in adapters/cli",
		In:     []string{"..."},
		NotIn:  []string{"adapters/cli/...", "cmd/bulkhead-dev/..."},
		Deny:   []string{"github.com/urfave/..."},
		Reason: "flags and exit codes are an edge, like HTTP; nothing behind it may know of them",
	},
}
