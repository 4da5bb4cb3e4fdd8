// Package netport finds out which TCP ports of this machine can be listened on.
package netport

import (
	"fmt"
	"net"
	"strconv"
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

// Free returns n distinct ports nobody listens on. They are all held until the last one is found, otherwise the
// kernel may hand out the same one twice.
func Free(host string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	held := make([]net.Listener, 0, n)
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	for range n {
		listener, err := net.Listen("tcp", Address(host, 0))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		held = append(held, listener)
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// Address joins host and port.
func Address(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
