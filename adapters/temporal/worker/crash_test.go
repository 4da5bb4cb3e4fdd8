package worker_test

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/signing"
)

// The environment of the process that TestDoomedWorker is when it is not a test
// but the victim of TestCrash.
const (
	envAddress = "BULKHEAD_TEST_DOOMED_ADDRESS"
	envToken   = "BULKHEAD_TEST_DOOMED_TOKEN"
	envStep    = "BULKHEAD_TEST_DOOMED_STEP"

	reachedLine = "reached the step"
)

// lentToken is the one token that a victim was given.
type lentToken string

func (t lentToken) Token(context.Context, signing.Claims) (string, error) { return string(t), nil }

// TestMain is the victim's entrance, too: TestCrash starts this very program again.
func TestMain(m *testing.M) {
	if address := os.Getenv(envAddress); address != "" {
		doomedWorker(address, os.Getenv(envStep))
	}
	os.Exit(m.Run())
}

// doomedWorker serves until it has taken the side effect of a step, and then
// waits for its death before it can tell Temporal.
func doomedWorker(address, step string) {
	conn, err := temporal.NewConnection(temporal.Config{Address: address}, lentToken(os.Getenv(envToken)), systemClock{}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	s := newSteps(temporal.NewNamespaces(conn))
	s.disturb = func(name string, _ int) error {
		if name == step {
			_, _ = os.Stdout.WriteString(reachedLine + "\n")
			select {}
		}
		return nil
	}
	newWorker(conn, s).Start(context.Background())
	select {}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	// Reaching a step, the one before it has taken its effect, and nothing of it is known to Temporal.
	for _, step := range []string{"attributes", "activate"} {
		t.Run("Should resume when its process was killed before the step "+step, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t)
			victim := exec.CommandContext(t.Context(), os.Args[0])
			victim.Env = append(os.Environ(), envAddress+"="+b.server.Address, envStep+"="+step, envToken+"="+b.server.Mint(t, "temporal-system:admin"))
			stdout, err := victim.StdoutPipe()
			is.NoErr(err)
			is.NoErr(victim.Start())
			b.deliver(t)
			lines := bufio.NewScanner(stdout)
			reached := false
			for !reached && lines.Scan() {
				reached = strings.Contains(lines.Text(), reachedLine)
			}
			is.True(reached)
			is.NoErr(victim.Process.Kill())
			_ = victim.Wait()

			b.start(t)
			begun := time.Now()
			await(t, "activation", b.steps.active)
			took := time.Since(begun)
			t.Logf("resumed after %v", took.Round(time.Millisecond))
			is.True(took < 20*time.Second)
		})
	}
}
