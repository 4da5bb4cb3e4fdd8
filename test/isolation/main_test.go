package isolation

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

// reportPath is where `make test/isolation` wants its line. It is what makes a
// run the full one.
var reportPath = os.Getenv("BULKHEAD_ISOLATION_REPORT")

// full tells whether every attack is sent, and not a sample.
func full() bool { return reportPath != "" }
