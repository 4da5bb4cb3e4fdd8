// Package netport finds out which TCP ports of this machine can be listened on.
package netport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// Available tells whether host:port can be listened on at this moment.
func Available(host string, port int) bool {
	listener, err := net.Listen("tcp", Address(host, port))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// The ports that Free chooses from lie below those that kernels give to outgoing connections (from 32768 on Linux). A
// port of the kernel's choice would be free when asked for, and taken by anybody's connection a moment later.
const (
	lowest  = 15000
	highest = 32000
)

// Free returns n distinct ports nobody listens on or has reserved, chosen at random: others choose at the same time, and
// each lets go of the ports before it uses them. Reserve keeps them.
func Free(ctx context.Context, host string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 100 * (n + 1) {
		if len(ports) == n {
			return ports, nil
		}
		port := lowest + rand.IntN(highest-lowest) //nolint:gosec // no secret
		if !slices.Contains(ports, port) && vacant(ctx, host, port) {
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("find %d free ports between %d and %d on %s", n, lowest, highest, host)
}

// vacant tells whether nobody is bound to host:port, be it without listening.
func vacant(ctx context.Context, host string, port int) bool {
	alone := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if failed := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0)
		}); failed != nil {
			return failed
		}
		return err
	}}
	listener, err := alone.Listen(ctx, "tcp", Address(host, port))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// Address joins host and port.
func Address(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
