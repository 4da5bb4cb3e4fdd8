package harness

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
)

// FreePort returns a port of the loopback interface that nobody uses, and keeps it for
// the test from whoever else asks for one, also while the program that is to listen on it
// is not up: it is bound, but does not listen, and lets those pass that may reuse an
// address, as the programs of the tests do. It lies below those that the kernel gives to
// outgoing connections, one of which might take it.
func FreePort(t testing.TB) int {
	t.Helper()
	const lowest, highest = 15000, 32000
	for range 100 {
		port := lowest + rand.IntN(highest-lowest)
		held, err := reserve(port)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatalf("reserve port %d: %v", port, err)
		}
		t.Cleanup(func() { _ = syscall.Close(held) })
		return port
	}
	t.Fatalf("no free port between %d and %d", lowest, highest)
	return 0
}

// reserve takes a port that no socket at all is bound to, and then lets others bind to it
// that may reuse an address.
func reserve(port int) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return 0, err
	}
	return fd, nil
}
