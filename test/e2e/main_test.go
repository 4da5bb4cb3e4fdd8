// Package e2e runs the product as its operators and tenants do: the programs as
// processes of their own, on a real Postgres and a real Temporal server, spoken
// to through the SDK, the CLI, and Temporal's own SDK.
package e2e

import (
	"os"
	"testing"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilt()
	os.Exit(code)
}
