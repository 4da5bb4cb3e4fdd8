package isolation

import (
	"flag"
	"os"
	"testing"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilt()
	os.Exit(code)
}

// report is where `make test/isolation` wants its line. It is what makes a run
// the full one.
var report = flag.String("report", "", "send every attack, plant every fault, and write the result to this file")

// full tells whether every attack is sent, and not a sample.
func full() bool { return *report != "" }
