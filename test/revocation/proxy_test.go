package revocation

import (
	"net"
	"sync/atomic"
	"testing"
)

// proxy stands between an API and its database.
type proxy struct {
	address string
	cut     atomic.Bool // nothing passes any more, and nobody is told
}

// newProxy serves until the test ends.
func newProxy(t testing.TB, upstream string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{address: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, upstream)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn, upstream string) {
	server, err := net.Dial("tcp", upstream)
	if err != nil {
		_ = client.Close()
		return
	}
	go p.pass(server, client)
	p.pass(client, server)
}

// pass hands on what it reads, as long as the way is not cut.
func (p *proxy) pass(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.cut.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
