package harness

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/signing"
	core "github.com/bulkheadhq/bulkhead/core/signing"
)

// TemporalAudience is the audience that tokens for a test's Temporal name.
const TemporalAudience = "temporal"

// TemporalServer is a running Temporal server with authorization on, which
// accepts the tokens that its own methods make.
type TemporalServer struct {
	Address     string // of the gRPC frontend
	HTTPAddress string // of the frontend's HTTP API

	audience string
	keySet   string
	crypto   *signing.Crypto
	key      core.Key
	dir      string
	scratch  string // removed with the process; "" when the test does it

	mu      sync.Mutex
	process *program
}

// TemporalOptions describe a server of a test's own. The zero value will do.
type TemporalOptions struct {
	// Audience is what the server wants in a token; "" is TemporalAudience.
	Audience string
	// KeySet is the URL of the keys that sign tokens; "" is a file with the
	// server's own key. With a URL, Mint and Sign make no valid tokens.
	KeySet string
	// Port and HTTPPort are where to listen; 0 is a free port.
	Port, HTTPPort int
}

// shared is the one server of the test process.
var shared = sync.OnceValues(func() (*TemporalServer, error) {
	dir, err := os.MkdirTemp("", "bulkhead-temporal-")
	if err != nil {
		return nil, err
	}
	return startTemporal(dir, dir, TemporalOptions{})
})

// Temporal returns the server that all tests of the process share. It takes a
// second to start, so tests keep apart by namespaces rather than by servers.
func Temporal(t testing.TB) *TemporalServer {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("start Temporal: %v", err)
	}
	return s
}

// NewTemporal starts a server of the test's own, which it may kill and restart.
// It ends with the test.
func NewTemporal(t testing.TB, opts TemporalOptions) *TemporalServer {
	t.Helper()
	s, err := startTemporal(t.TempDir(), "", opts)
	if err != nil {
		t.Fatalf("start Temporal: %v", err)
	}
	t.Cleanup(func() { s.end((*program).stop) })
	return s
}

func startTemporal(dir, scratch string, opts TemporalOptions) (*TemporalServer, error) {
	if opts.Audience == "" {
		opts.Audience = TemporalAudience
	}
	crypto, err := signing.New(signing.Config{
		EncryptionKeys: map[int16][]byte{1: make([]byte, 32)}, Audience: opts.Audience,
	})
	if err != nil {
		return nil, err
	}
	key, err := crypto.Generate(core.Active, time.Now())
	if err != nil {
		return nil, err
	}
	keySet, err := crypto.KeySet([]core.Key{key})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "jwks.json"), keySet, 0o600); err != nil {
		return nil, err
	}
	s := &TemporalServer{audience: opts.Audience, keySet: opts.KeySet, crypto: crypto, key: key, dir: dir, scratch: scratch}
	if s.keySet == "" {
		s.keySet = filepath.Join(dir, "jwks.json")
	}
	return s, s.start(strconv.Itoa(opts.Port), strconv.Itoa(opts.HTTPPort))
}

// start starts the process on the given ports; "0" is a free one.
func (s *TemporalServer) start(port, httpPort string) error {
	var ready struct {
		Address     string `json:"address"`
		HTTPAddress string `json:"http_address"`
	}
	p, err := startProgram(&ready, s.scratch, "bulkhead-dev", "temporal",
		"--data-dir", filepath.Join(s.dir, "data"), "--jwks", s.keySet,
		"--audience", s.audience, "--port", port, "--http-port", httpPort, "--exit-with-stdin")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Address, s.HTTPAddress, s.process = ready.Address, ready.HTTPAddress, p
	return nil
}

// Kill ends the server as a power failure would. Its data stays.
func (s *TemporalServer) Kill(t testing.TB) {
	t.Helper()
	if s.scratch != "" {
		t.Fatal("the shared Temporal server belongs to every test: use NewTemporal")
	}
	s.end((*program).kill)
}

// Restart starts the server again, after Kill, on the same data and at the same
// addresses.
func (s *TemporalServer) Restart(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	_, httpPort, err := net.SplitHostPort(s.HTTPAddress)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.start(port, httpPort); err != nil {
		t.Fatalf("restart Temporal: %v", err)
	}
}

func (s *TemporalServer) end(how func(*program)) {
	s.mu.Lock()
	p := s.process
	s.process = nil
	s.mu.Unlock()
	if p != nil {
		how(p)
	}
}

// Sign returns the token of any claims, as the control plane would sign it.
func (s *TemporalServer) Sign(c core.Claims) (string, error) {
	return s.crypto.Sign(s.key, c)
}

// Token implements the source of tokens that the Temporal adapter asks for.
func (s *TemporalServer) Token(_ context.Context, c core.Claims) (string, error) {
	return s.Sign(c)
}

// Mint returns a token with one permission, such as "org-a-01k9:write", that is
// good for five minutes.
func (s *TemporalServer) Mint(t testing.TB, permission string) string {
	t.Helper()
	now := time.Now()
	token, err := s.Sign(core.Claims{
		Subject: "test", Permission: permission, IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute),
	})
	if err != nil {
		t.Fatalf("mint token: %v", err)
	}
	return token
}
