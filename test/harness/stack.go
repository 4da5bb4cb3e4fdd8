package harness

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/adapters/signing"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	core "github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/sdk"
)

// The secrets of every stack.
var (
	pepper        = bytes.Repeat([]byte("p"), 32)
	encryptionKey = bytes.Repeat([]byte("e"), 32)
)

// Stack is the whole product as an operator runs it: the API and the worker as
// processes of their own, on a database and a Temporal server of its own. What
// configures it is its environment, as in production.
type Stack struct {
	URL         string
	OperatorKey string
	WorkerKey   string
	Database    Database
	Temporal    *TemporalServer
	API         *Daemon
	Worker      *Daemon

	env   []string
	bin   string
	owner testing.TB // the test that the stack ends with
	prism prism
}

// NewStack starts a stack, which ends with the test. Its logs are searched for
// secrets and for data races then, and shown if the test has failed.
func NewStack(t testing.TB) *Stack {
	t.Helper()
	return NewStackOn(t, Postgres(t).Database(t))
}

// NewStackOn starts a stack on a database, such as one on a server of the test's own.
func NewStackOn(t testing.TB, d Database) *Stack {
	t.Helper()
	s := Prepare(t, d)
	made := s.Bootstrap(t)
	s.OperatorKey, s.WorkerKey = made.OperatorKey, made.WorkerKey
	s.API.Start(t)
	s.StartTemporal(t)
	s.Worker.Start(t)
	s.Worker.AwaitStatus(t, "/readyz", 200)
	return s
}

// Prepare describes a stack on a database, and starts nothing.
func Prepare(t testing.TB, d Database) *Stack {
	t.Helper()
	s := &Stack{Database: d, bin: Build(t, "cmd/bulkhead"), owner: t, Temporal: &TemporalServer{}}
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", FreePort(t)) }
	api, worker := address(), address()
	s.Temporal.Address, s.Temporal.HTTPAddress = address(), address()
	s.URL = "http://" + api
	key := func(b []byte) string { return "1:" + base64.StdEncoding.EncodeToString(b) }
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "TZ=Canada/Newfoundland",
		"BULKHEAD_HTTP_ADDRESS=" + api, "BULKHEAD_WORKER_HTTP_ADDRESS=" + worker,
		"BULKHEAD_DATABASE_URL=" + d.AppURL, "BULKHEAD_DATABASE_AUTH_URL=" + d.AuthURL,
		"BULKHEAD_API_KEY_PEPPERS=" + key(pepper), "BULKHEAD_ENCRYPTION_KEYS=" + key(encryptionKey),
		"BULKHEAD_TEMPORAL_ADDRESS=" + s.Temporal.Address,
		// Tests ask as often as they can. What tests limits sets them.
		"BULKHEAD_LIMITS=requests=1000000000/1s/1000000000,workflow_starts=1000000000/1s/1000000000",
		"BULKHEAD_AUTH_FAILURES=off",
	}
	metrics := address()
	s.API = NewDaemon("server", s.bin, s.URL, measured(s.env, metrics), "server")
	s.API.Metrics = "http://" + metrics + "/metrics"
	s.Worker = NewDaemon("worker", s.bin, "http://"+worker, s.env, "worker")
	t.Cleanup(func() {
		s.Worker.Stop()
		s.API.Stop()
		s.inspect(t)
	})
	return s
}

// With returns the description of another API process of the same stack, on an
// address of its own, with more variables.
func (s *Stack) With(t testing.TB, variables ...string) (url string, api *Daemon) {
	t.Helper()
	url, api = s.WithProgram(t, s.bin, variables...)
	t.Cleanup(func() {
		api.Stop()
		s.inspectLog(t, api)
	})
	return url, api
}

// WithProgram is With for another build of the program, whose log may hold
// anything.
func (s *Stack) WithProgram(t testing.TB, path string, variables ...string) (url string, api *Daemon) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	url = "http://" + address
	metrics := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	env := append(measured(s.env, metrics), "BULKHEAD_HTTP_ADDRESS="+address)
	api = NewDaemon("another server", path, url, append(env, variables...), "server")
	api.Metrics = "http://" + metrics + "/metrics"
	return url, api
}

// measured returns the environment of an API that is measured at an address.
func measured(env []string, address string) []string {
	return append(append([]string{}, env...), "BULKHEAD_METRICS_ADDRESS="+address)
}

// StartTemporal starts the Temporal server, which takes its keys from the API.
func (s *Stack) StartTemporal(t testing.TB) {
	t.Helper()
	port := func(address string) (n int) {
		_, err := fmt.Sscanf(address[strings.LastIndex(address, ":"):], ":%d", &n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.Temporal = NewTemporal(t, TemporalOptions{
		KeySet: s.URL + "/.well-known/jwks.json",
		Port:   port(s.Temporal.Address), HTTPPort: port(s.Temporal.HTTPAddress),
	})
}

// Bootstrapped is what the bootstrap command prints.
type Bootstrapped struct {
	Created     bool   `json:"created"`
	OperatorKey string `json:"operator_key"`
	WorkerKey   string `json:"worker_key"`
}

// Bootstrap runs the bootstrap command.
func (s *Stack) Bootstrap(t testing.TB, args ...string) Bootstrapped {
	t.Helper()
	out := s.Command(t, "", append([]string{"bootstrap", "--output", "json"}, args...)...)
	var b Bootstrapped
	if err := json.Unmarshal([]byte(out.Stdout), &b); err != nil {
		t.Fatalf("bootstrap: %v\n%s", err, out.Stderr)
	}
	return b
}

// Output is what a command printed and how it ended.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Command runs a command of the CLI with an API key, and waits for its end.
func (s *Stack) Command(t testing.TB, key string, args ...string) Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), WaitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, args...)
	cmd.Env = append(append([]string{}, s.env...), "BULKHEAD_URL="+s.URL, "BULKHEAD_API_KEY="+key)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("bulkhead %s: %v", strings.Join(args, " "), err)
	}
	return Output{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
}

// Peppers returns those of the stack's keys, for a test that stores keys itself.
func (s *Stack) Peppers(t testing.TB) apikey.Peppers {
	t.Helper()
	p, err := apikey.NewPeppers(map[int16][]byte{1: pepper})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Client returns a client of the API with a key. It does not repeat requests,
// so that a test sees every answer, and holds each against the API's document.
func (s *Stack) Client(t testing.TB, key string) *sdk.Client {
	t.Helper()
	c, err := sdk.New(sdk.Config{URL: s.URL, APIKey: key, Retries: -1, HTTPClient: s.httpClient(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Operator returns the operator's client.
func (s *Stack) Operator(t testing.TB) *sdk.Client { return s.Client(t, s.OperatorKey) }

// Tenant is an active organization with its admin's key.
type Tenant struct {
	Org    sdk.Organization
	Admin  sdk.User
	Key    string
	Client *sdk.Client
}

// NewTenant creates an organization, waits until it is active, and makes a key
// for its admin.
func (s *Stack) NewTenant(t testing.TB, slug string) Tenant {
	t.Helper()
	created, err := s.Operator(t).CreateOrganization(t.Context(), sdk.OrganizationCreate{
		Slug: slug, Admin: sdk.FirstAdmin{Email: "admin@" + slug + ".example"},
	}, WaitLimit)
	if err != nil {
		t.Fatalf("create organization %s: %v", slug, err)
	}
	if created.Organization.State != sdk.OrganizationStateActive {
		t.Fatalf("organization %s is %s", slug, created.Organization.State)
	}
	key, err := s.Operator(t).CreateAPIKey(t.Context(), slug, sdk.APIKeyCreate{Name: "admin", UserID: created.Admin.ID})
	if err != nil {
		t.Fatalf("create a key for %s: %v", slug, err)
	}
	return Tenant{Org: created.Organization, Admin: created.Admin, Key: key.Secret, Client: s.Client(t, key.Secret)}
}

// SystemToken returns a token with which Temporal lets its bearer read
// everything.
func (s *Stack) SystemToken(t testing.TB) string {
	t.Helper()
	return s.Mint(t, "temporal-system:read")
}

// Mint returns a token with one permission, signed with the stack's own key as
// the control plane would.
func (s *Stack) Mint(t testing.TB, permission string) string {
	t.Helper()
	crypto, err := signing.New(signing.Config{
		EncryptionKeys: map[int16][]byte{1: encryptionKey}, Audience: TemporalAudience,
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := postgres.Open(t.Context(), postgres.Config{URL: s.Database.AppURL, AuthURL: s.Database.AuthURL})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys, err := postgres.NewSigningKeys(db).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.State == core.Active {
			now := time.Now()
			token, err := crypto.Sign(k, core.Claims{
				Subject: "test", Permission: permission, IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute),
			})
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
	}
	t.Fatal("the stack has no active signing key")
	return ""
}

// inspect looks through the logs of both processes.
func (s *Stack) inspect(t testing.TB) {
	t.Helper()
	s.inspectLog(t, s.API)
	s.inspectLog(t, s.Worker)
}

// inspectLog fails the test for what must never stand in a log: a secret of this
// stack, anything of the form of one, a data race, a panic.
func (s *Stack) inspectLog(t testing.TB, d *Daemon) {
	t.Helper()
	log := d.Log()
	for _, forbidden := range []string{s.OperatorKey, s.WorkerKey, rolePassword, "bhk_", "eyJ", "DATA RACE", "panic"} {
		if forbidden != "" && strings.Contains(log, forbidden) {
			t.Errorf("the log of %s holds %.6q…", d.name, forbidden)
		}
	}
	if t.Failed() {
		t.Logf("log of %s:\n%s", d.name, log)
	}
}
