package stack

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/postgres"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

// screen collects what a run prints and tells when it is ready.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.HasPrefix(b, []byte("ready: ")) {
		s.once.Do(func() { close(s.ready) })
	}
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// fakeTemporal records its stop among those of the fake product.
type fakeTemporal struct{ state string }

func (f fakeTemporal) Stop() error {
	record(f.state, "stops", "temporal")
	return nil
}

// run is a stack that is running, or has ended.
type run struct {
	screen *screen
	stop   context.CancelFunc
	result chan error

	temporal temporal.Config
}

func begin(t *testing.T, p *product, cfg Config) *run {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &run{screen: &screen{ready: make(chan struct{})}, stop: stop, result: make(chan error, 1)}
	cfg.Bulkhead = p.binary
	if !cfg.NoExample {
		cfg.ExampleWorker = p.binary
	}
	cfg.Started, cfg.Out = time.Now(), r.screen
	cfg.StartTemporal = func(_ context.Context, c temporal.Config) (temporal.Server, error) {
		r.temporal = c
		return fakeTemporal{state: p.state}, nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.result <- Run(ctx, cfg)
	}()
	t.Cleanup(func() { stop(); <-ended })
	return r
}

func (r *run) waitReady(t *testing.T) *run {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	select {
	case <-r.screen.ready:
		return r
	case err := <-r.result:
		t.Fatalf("ended before it was ready: %v\n%s", err, r.screen)
	case <-deadline.C:
		t.Fatalf("not ready:\n%s", r.screen)
	}
	return nil
}

func (r *run) end(t *testing.T) error {
	t.Helper()
	r.stop()
	return <-r.result
}

// database is a Postgres all tests of a function share.
func database(t *testing.T) string {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{DataDir: reachableDir(t), Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server.AdminURL
}

// reachableDir is a temporary directory that every user may pass through, as Postgres must when root starts it.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRun(t *testing.T) {
	admin := database(t)

	t.Run("Should start everything in order and stop it in reverse", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		r := begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		is.NoErr(r.end(t)) // a stop that was asked for is no error

		var order []string
		for _, c := range p.calls(t) {
			order = append(order, strings.Join(c.Args, " "))
		}
		is.Equal(order[:5], []string{"migrate init", "migrate up", "bootstrap --output json", "server", "worker"})
		stops, err := os.ReadFile(filepath.Join(p.state, "stops"))
		is.NoErr(err)
		// The example worker may be stopped before it has come to listening for the signal.
		is.Equal(strings.TrimPrefix(string(stops), "example\n"), "worker\ntemporal\nserver\n")
		is.Equal(r.temporal.Audience, "temporal")
		is.Equal(r.temporal.KeysURL, "http://"+p.call(t, "server").value("BULKHEAD_HTTP_ADDRESS")+"/.well-known/jwks.json")
	})

	t.Run("Should end its start with the seconds it took", func(t *testing.T) {
		is := is.New(t)
		r := begin(t, newProduct(t), Config{DataDir: t.TempDir(), AdminURL: admin}).waitReady(t)
		lines := strings.Split(strings.TrimSpace(r.screen.String()), "\n")
		is.True(regexp.MustCompile(`^ready: \d+\.\ds$`).MatchString(lines[len(lines)-1]))
	})

	t.Run("Should give the children the stack's variables and nothing of the shell's", func(t *testing.T) {
		is := is.New(t)
		t.Setenv("BULKHEAD_DATABASE_URL", "postgres://elsewhere")
		t.Setenv("BULKHEAD_SURPRISE", "1")
		t.Setenv("PGOPTIONS", "-c search_path=elsewhere")
		p := newProduct(t)
		begin(t, p, Config{DataDir: t.TempDir(), AdminURL: admin}).waitReady(t)

		server := p.call(t, "server")
		is.True(strings.HasPrefix(server.value("BULKHEAD_DATABASE_URL"), "postgres://bulkhead_app:"))
		is.True(strings.HasSuffix(strings.Split(server.value("BULKHEAD_DATABASE_URL"), "?")[0], "/bulkhead"))
		is.Equal(server.value("BULKHEAD_SURPRISE"), "")
		is.Equal(server.value("PGOPTIONS"), "")
		is.Equal(server.value("BULKHEAD_DATABASE_OWNER_URL"), "") // the server cannot become the owner of its tables
		is.Equal(server.value("BULKHEAD_DATABASE_ADMIN_URL"), "")
		is.Equal(p.call(t, "migrate init").value("BULKHEAD_DATABASE_ADMIN_URL"), admin)
	})

	t.Run("Should print the operator's key on the first run only and keep every secret", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		first := begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		is.True(strings.Contains(first.screen.String(), "export BULKHEAD_API_KEY=bhk_operator\n"))
		is.NoErr(first.end(t))
		before := p.call(t, "server")

		second := begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		is.True(!strings.Contains(second.screen.String(), "bhk_operator"))
		is.True(strings.Contains(second.screen.String(), "\nexport BULKHEAD_URL=http://127.0.0.1:"))
		newKey := fmt.Sprintf("export BULKHEAD_API_KEY=$(. %s; %s bootstrap --new-key)\n", filepath.Join(dir, "env"), p.binary)
		is.True(strings.Contains(second.screen.String(), "Use the key that you have. For a new operator's key:\n\n"+newKey))
		// Nothing else may replace a key that is good, or create what exists.
		is.Equal(strings.Count(second.screen.String(), "BULKHEAD_API_KEY"), 1)
		is.True(!strings.Contains(second.screen.String(), "org create"))
		p.waitForExample(t)
		is.NoErr(second.end(t))
		after := p.call(t, "server")
		for _, name := range []string{"BULKHEAD_API_KEY_PEPPERS", "BULKHEAD_ENCRYPTION_KEYS", "BULKHEAD_DATABASE_URL", "BULKHEAD_HTTP_ADDRESS"} {
			is.Equal(after.value(name), before.value(name)) // kept between runs
		}
		is.Equal(p.call(t, "").value("BULKHEAD_API_KEY"), "bhk_worker") // the example worker's
		is.Equal(p.call(t, "").value("BULKHEAD_DATABASE_URL"), "")      // it knows the API only
		is.Equal(p.call(t, "").value("BULKHEAD_URL"), "http://"+after.value("BULKHEAD_HTTP_ADDRESS"))
		assertNowhere(t, dir, "bhk_operator")
	})

	t.Run("Should print the commands of the README on the first run", func(t *testing.T) {
		is := is.New(t)
		p := newProduct(t)
		r := begin(t, p, Config{DataDir: t.TempDir(), AdminURL: admin}).waitReady(t)
		readme, err := os.ReadFile("../../../../README.md")
		is.NoErr(err)
		commands := regexp.MustCompile("(?s)```sh\n(bin/bulkhead org create .*?)```").FindSubmatch(readme)
		is.Equal(len(commands), 2) // the README has them
		want := strings.ReplaceAll(string(commands[1]), "bin/bulkhead", p.binary)
		is.True(strings.Contains(r.screen.String(), "\n\n"+want+"\nready: "))
	})

	t.Run("Should leave the example worker out when told to", func(t *testing.T) {
		is := is.New(t)
		p := newProduct(t)
		r := begin(t, p, Config{DataDir: t.TempDir(), AdminURL: admin, NoExample: true}).waitReady(t)
		is.True(strings.Contains(r.screen.String(), "not started, as asked"))
		is.True(strings.Contains(r.screen.String(), " apikey create first "))
		is.True(!strings.Contains(r.screen.String(), "workflow start")) // nobody would run it
		is.NoErr(r.end(t))
		is.True(!strings.Contains(r.screen.String(), "example-worker\n")) // it was not stopped, for it did not run
		for _, c := range p.calls(t) {
			is.True(len(c.Args) > 0) // the example worker's call has no arguments
		}
	})

	t.Run("Should keep every log of the run before", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		for range 2 {
			r := begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
			_, err := r.temporal.Log.Write([]byte("running\n"))
			is.NoErr(err)
			is.NoErr(r.end(t))
			_, err = r.temporal.Log.Write([]byte("late\n")) // as Temporal's goroutines do
			is.NoErr(err)
		}
		for _, name := range []string{"migrate-init", "migrate-up", "bootstrap", "server", "temporal", "worker", "example-worker"} {
			for _, suffix := range []string{".log", ".log.1"} {
				_, err := os.Stat(filepath.Join(dir, "logs", name+suffix))
				is.NoErr(err)
			}
		}
		before, err := os.ReadFile(filepath.Join(dir, "logs", "temporal.log.1"))
		is.NoErr(err)
		is.Equal(string(before), "running\n")
	})

	t.Run("Should show the operator's key later when the first start failed after its creation", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		repair := p.failAt(t, "worker", "no database")
		failed := begin(t, p, Config{DataDir: dir, AdminURL: admin})
		is.True(<-failed.result != nil)
		repair()
		r := begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		is.True(strings.Contains(r.screen.String(), "export BULKHEAD_API_KEY=bhk_operator\n"))
	})

	t.Run("Should name a step that fails, its last words and its log", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		p.failAt(t, "migrate", "relation \"orgs\" is in the way")
		err := <-begin(t, p, Config{DataDir: dir, AdminURL: admin}).result
		is.True(err != nil)
		for _, part := range []string{"migrate init", "exit status 3", `relation "orgs" is in the way`, filepath.Join(dir, "logs", "migrate-init.log")} {
			is.True(strings.Contains(err.Error(), part)) // in the message
		}
	})

	t.Run("Should stop everything and say why when a child dies", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		r := begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		address := p.call(t, "server").value("BULKHEAD_HTTP_ADDRESS")
		_, _ = http.Get("http://" + address + "/die")
		err := <-r.result
		is.True(err != nil)
		for _, part := range []string{"server stopped: exit status 3", "these are my last words", filepath.Join(dir, "logs", "server.log")} {
			is.True(strings.Contains(err.Error(), part)) // in the message
		}
		worker := p.call(t, "worker").value("BULKHEAD_WORKER_HTTP_ADDRESS")
		_, dialErr := net.Dial("tcp", worker)
		is.True(dialErr != nil) // the worker has been stopped too
	})

	t.Run("Should refuse a data directory that another run has", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		err := <-begin(t, p, Config{DataDir: dir, AdminURL: admin}).result
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())))
	})

	t.Run("Should write an environment file only its owner can read and a shell can load", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), t.TempDir()
		begin(t, p, Config{DataDir: dir, AdminURL: admin}).waitReady(t)
		path := filepath.Join(dir, "env")
		info, err := os.Stat(path)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
		content, err := os.ReadFile(path)
		is.NoErr(err)
		for _, name := range []string{"BULKHEAD_DATABASE_ADMIN_URL", "BULKHEAD_DATABASE_OWNER_URL", "BULKHEAD_API_KEY_PEPPERS", "BULKHEAD_URL"} {
			is.True(strings.Contains(string(content), "export "+name+"='")) // in the file
		}
		is.True(!strings.Contains(string(content), "BULKHEAD_API_KEY="))
	})
}

func TestRunWithOwnPostgres(t *testing.T) {
	t.Run("Should start Postgres, take it down with the rest and find its data again", func(t *testing.T) {
		is := is.New(t)
		p, dir := newProduct(t), reachableDir(t)
		for range 2 {
			r := begin(t, p, Config{DataDir: dir}).waitReady(t)
			admin := p.call(t, "migrate init").value("BULKHEAD_DATABASE_ADMIN_URL")
			is.NoErr(postgres.Ping(t.Context(), admin))
			is.NoErr(r.end(t))
			is.True(postgres.Ping(t.Context(), admin) != nil) // stopped
		}
	})
}

// assertNowhere looks for text in every file below dir.
func assertNowhere(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(text)) {
			t.Errorf("%s contains %s", path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChoosePorts(t *testing.T) {
	t.Run("Should move away from a taken port, say so and stay there", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		first, _, err := choosePorts(dir, Ports{}, true)
		is.NoErr(err)
		listener, err := net.Listen("tcp", netport.Address(host, first.HTTP))
		is.NoErr(err)
		moved, notes, err := choosePorts(dir, Ports{}, true)
		is.NoErr(err)
		is.True(moved.HTTP != first.HTTP)
		is.Equal(notes, []string{fmt.Sprintf("port %d (http) is taken, using %d", first.HTTP, moved.HTTP)})
		is.NoErr(listener.Close())
		again, notes, err := choosePorts(dir, Ports{}, true)
		is.NoErr(err)
		is.Equal(again, moved)
		is.Equal(len(notes), 0)
	})

	t.Run("Should refuse to move a port the user asked for", func(t *testing.T) {
		is := is.New(t)
		listener, err := net.Listen("tcp", host+":0")
		is.NoErr(err)
		defer func() { _ = listener.Close() }()
		port := listener.Addr().(*net.TCPAddr).Port
		_, _, err = choosePorts(t.TempDir(), Ports{Temporal: port}, true)
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), fmt.Sprintf("--temporal-port %d is taken", port)))
	})
}

func TestSecrets(t *testing.T) {
	t.Run("Should be private and the same every time", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		first, err := loadSecrets(dir)
		is.NoErr(err)
		path := filepath.Join(dir, secretsName)
		is.NoErr(os.Chmod(path, 0o644)) // as a careless copy would be
		again, err := loadSecrets(dir)
		is.NoErr(err)
		is.Equal(again, first)
		info, err := os.Stat(path)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	})

	t.Run("Should refuse a damaged file instead of replacing it", func(t *testing.T) {
		is := is.New(t)
		for _, content := range []string{"", "{", "{}"} {
			dir := t.TempDir()
			path := filepath.Join(dir, secretsName)
			is.NoErr(os.WriteFile(path, []byte(content), 0o600))
			_, err := loadSecrets(dir)
			is.True(err != nil)
			kept, err := os.ReadFile(path)
			is.NoErr(err)
			is.Equal(string(kept), content)
		}
	})
}
