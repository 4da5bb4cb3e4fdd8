package rows

import (
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// quiet is a log for what is not measured.
var quiet = slog.New(slog.DiscardHandler)

// apiClient returns a client of the API as anybody has it.
func apiClient(t *bench.T, stack *harness.Stack, key string) *sdk.Client {
	t.Helper()
	c, err := sdk.New(sdk.Config{URL: stack.URL, APIKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// optionsOf are those of Temporal's own client with a token.
func optionsOf(address, namespace, token string) client.Options {
	return client.Options{
		HostPort: address, Namespace: namespace,
		Credentials:       client.NewAPIKeyStaticCredentials(token),
		ConnectionOptions: client.ConnectionOptions{TLSDisabled: true},
		Logger:            log.NewStructuredLogger(quiet),
	}
}

// dial returns Temporal's own client with a token.
func dial(t *bench.T, address, namespace, token string) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), optionsOf(address, namespace, token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// each does something n times, one after the other, and returns what one took.
// The median is what counts: one pause of the disk is not what all of them cost.
func each(t *bench.T, n int, do func() error) bench.Sample {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	return bench.Sample{"ms": bench.Median(took).Seconds() * 1000}
}
