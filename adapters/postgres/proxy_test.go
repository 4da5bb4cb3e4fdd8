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
	trips    int
	deaf     bool // answers are lost, and their connections with them
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
	var asks bool // who has spoken last
	asking := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !asks {
			p.trips++
		}
		asks = true
	}
	answering := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		asks = false
	}
	go func() { _, _ = io.Copy(heard{server, asking}, conn); _ = server.Close() }()
	go func() { _, _ = io.Copy(heard{losing{p, conn}, answering}, server); _ = conn.Close() }()
}

// heard is told of what is written before it is.
type heard struct {
	io.Writer
	tell func()
}

func (h heard) Write(b []byte) (int, error) {
	h.tell()
	return h.Writer.Write(b)
}

// losing writes answers, as long as they arrive.
type losing struct {
	proxy *proxy
	io.Writer
}

func (l losing) Write(b []byte) (int, error) {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.proxy.deaf {
		return 0, io.ErrClosedPipe
	}
	return l.Writer.Write(b)
}

// swallow loses the answers that come from now on.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// roundTrips returns how often the server was asked, and its answer waited for.
func (p *proxy) roundTrips() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trips
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
