package stack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
)

// This file is the whole contract with the product's programs: the commands called, the variables they read, the pages
// they serve and what they print. Nothing of the product is imported.

const (
	host         = "127.0.0.1"
	databaseName = "bulkhead"
	audience     = "temporal"

	livePath  = "/livez"
	readyPath = "/readyz"
	keysPath  = "/.well-known/jwks.json"
)

// The product's database users, each with its own password.
const (
	ownerRole = "bulkhead_owner"
	appRole   = "bulkhead_app"
	authRole  = "bulkhead_auth"
	dumpRole  = "bulkhead_dump"
)

var (
	migrateInit = []string{"migrate", "init"}
	migrateUp   = []string{"migrate", "up"}
	bootstrap   = []string{"bootstrap", "--output", "json"}
	serve       = []string{"server"}
	work        = []string{"worker"}
)

// bootstrapped is what the bootstrap command prints. Only its first call on a database creates something.
type bootstrapped struct {
	Created     bool   `json:"created"`
	OperatorKey string `json:"operator_key"`
	WorkerKey   string `json:"worker_key"`
}

func parseBootstrapped(output []byte) (bootstrapped, error) {
	var result bootstrapped
	if err := json.Unmarshal(output, &result); err != nil {
		// The output holds keys, so it must not become part of the message.
		return bootstrapped{}, fmt.Errorf("bootstrap did not print the JSON object expected of it: %w", err)
	}
	if result.Created && (result.OperatorKey == "" || result.WorkerKey == "") {
		return bootstrapped{}, fmt.Errorf("bootstrap says it created the keys but did not print both")
	}
	return result, nil
}

// variable is one entry of an environment.
type variable struct{ name, value string }

// ambient are the variables of this process that a child may see. Everything else is left out, so that a BULKHEAD_ or
// PG variable of the shell cannot change what the stack does.
var ambient = []string{"PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "NO_COLOR"}

func ambientVariables() []variable {
	var variables []variable
	for _, name := range ambient {
		if value, set := os.LookupEnv(name); set {
			variables = append(variables, variable{name, value})
		}
	}
	return variables
}

// productVariables configure every command of the product. It is one list for all of them, as one environment file
// would be in production.
func productVariables(secrets Secrets, ports Ports, adminURL string) ([]variable, error) {
	admin, err := url.Parse(adminURL)
	if err != nil {
		return nil, fmt.Errorf("the Postgres admin URL is not a URL") // the cause would repeat the password
	}
	database := func(role, password string) string {
		location := *admin
		location.User = url.UserPassword(role, password)
		location.Path = "/" + databaseName
		return location.String()
	}
	return []variable{
		{"BULKHEAD_HTTP_ADDRESS", netport.Address(host, ports.HTTP)},
		{"BULKHEAD_WORKER_HTTP_ADDRESS", netport.Address(host, ports.WorkerHTTP)},
		{"BULKHEAD_DATABASE_ADMIN_URL", adminURL},
		{"BULKHEAD_DATABASE_OWNER_URL", database(ownerRole, secrets.OwnerPassword)},
		{"BULKHEAD_DATABASE_URL", database(appRole, secrets.AppPassword)},
		{"BULKHEAD_DATABASE_AUTH_URL", database(authRole, secrets.AuthPassword)},
		{"BULKHEAD_DATABASE_DUMP_URL", database(dumpRole, secrets.DumpPassword)},
		{"BULKHEAD_API_KEY_PEPPERS", "1:" + secrets.APIKeyPepper},
		{"BULKHEAD_ENCRYPTION_KEYS", "1:" + secrets.EncryptionKey},
		{"BULKHEAD_TEMPORAL_ADDRESS", netport.Address(host, ports.Temporal)},
		{"BULKHEAD_TEMPORAL_AUDIENCE", audience},
	}, nil
}

// serving leaves out what the long-running commands do not need: a server that cannot become the owner of its tables
// is what the isolation rests on.
func serving(variables []variable) []variable {
	var kept []variable
	for _, v := range variables {
		switch v.name {
		case "BULKHEAD_DATABASE_ADMIN_URL", "BULKHEAD_DATABASE_OWNER_URL", "BULKHEAD_DATABASE_DUMP_URL":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

// exampleVariables configure the example worker, which is a customer's program: it knows the API and its own key.
func exampleVariables(ports Ports, workerKey string) []variable {
	return []variable{
		{"BULKHEAD_URL", "http://" + netport.Address(host, ports.HTTP)},
		{"BULKHEAD_API_KEY", workerKey},
	}
}

func environment(variables []variable) []string {
	var entries []string
	for _, v := range append(ambientVariables(), variables...) {
		entries = append(entries, v.name+"="+v.value)
	}
	return entries
}

// shellFile renders variables as a file to be sourced.
func shellFile(variables []variable) []byte {
	var text strings.Builder
	text.WriteString("# The environment of the running stack: load it with `. <this file>`. It holds database passwords.\n")
	for _, v := range variables {
		fmt.Fprintf(&text, "export %s=%s\n", v.name, shellQuote(v.value))
	}
	return []byte(text.String())
}

func shellQuote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
