package postgres_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy stands between a test and the server, to make the latter go away.
type proxy struct {
	t        testing.TB
	address  string // where it listens, or will
	upstream string

	mu       sync.Mutex
	listener net.Listener
	mute     bool
	conns    []net.Conn
}

// newProxy reserves an address at which nothing answers yet.
func newProxy(t testing.TB, upstream string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, address: l.Addr().String(), upstream: upstream}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.down)
	return p
}

// up begins to serve. A mute proxy accepts connections and says nothing.
func (p *proxy) up(mute bool) {
	p.t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener, p.mute = l, mute
	p.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(conn)
		}
	}()
}

func (p *proxy) serve(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conn)
	if p.mute {
		return
	}
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		_ = conn.Close()
		return
	}
	p.conns = append(p.conns, server)
	go func() { _, _ = io.Copy(server, conn); _ = server.Close() }()
	go func() { _, _ = io.Copy(conn, server); _ = conn.Close() }()
}

// down breaks all connections and accepts none.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
	}
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}
