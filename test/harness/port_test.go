package harness_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

func TestFreePort(t *testing.T) {
	t.Parallel()

	t.Run("Should give no port twice while its test runs, listened on or not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		given := map[int]bool{}
		for range 500 {
			port := harness.FreePort(t)
			is.True(!given[port])
			given[port] = true
		}
	})

	t.Run("Should let the program that the port is for listen, and again after its end", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		port := harness.FreePort(t)
		// A process that another test starts would have the first listener open, too, until
		// it runs its own program.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		for range 2 {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			is.NoErr(err)
			is.NoErr(l.Close())
		}
	})
}
