package netport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
)

// Reserve returns n distinct ports of an IPv4 address that nobody uses, chosen at random, and keeps them from whoever
// else reserves until release is called. The owner listens on them meanwhile: a reservation is bound, but does not
// listen, and lets those pass that may reuse an address, as Go's listeners, Postgres and Node do.
func Reserve(host string, n int) (ports []int, release func(), err error) {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return nil, nil, fmt.Errorf("reserve ports: %w", err)
	}
	var held []int
	release = func() {
		for _, fd := range held {
			_ = syscall.Close(fd)
		}
		held = nil
	}
	for range 100 * (n + 1) {
		if len(ports) == n {
			return ports, release, nil
		}
		port := lowest + rand.IntN(highest-lowest) //nolint:gosec // no secret
		fd, err := bind(address, port)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("reserve port %d of %s: %w", port, host, err)
		}
		ports, held = append(ports, port), append(held, fd)
	}
	release()
	return nil, nil, fmt.Errorf("find %d free ports between %d and %d on %s", n, lowest, highest, host)
}

// bind takes a port that no socket at all is bound to, and then lets others bind to it that may reuse an address.
func bind(address netip.Addr, port int) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: address.As4()})
	if err == nil {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return 0, err
	}
	return fd, nil
}
