package postgres_test

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
