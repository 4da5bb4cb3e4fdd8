package netport

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestReserve(t *testing.T) {
	const host = "127.0.0.1"

	t.Run("Should keep ports from others, and let their owner listen, again and again", func(t *testing.T) {
		is := is.New(t)
		ports, release, err := Reserve(host, 3)
		is.NoErr(err)
		defer release()
		for _, port := range ports {
			for range 2 {
				_, err := bind(netip.MustParseAddr(host), port)
				is.Equal(err, syscall.EADDRINUSE)
				is.True(!vacant(t.Context(), host, port))
				listener, err := net.Listen("tcp", Address(host, port))
				is.NoErr(err)
				_, err = bind(netip.MustParseAddr(host), port)
				is.Equal(err, syscall.EADDRINUSE)
				is.NoErr(listener.Close())
			}
		}
	})

	t.Run("Should not take what somebody listens on, or has taken as free", func(t *testing.T) {
		is := is.New(t)
		free, err := Free(t.Context(), host, 1)
		is.NoErr(err)
		listener, err := net.Listen("tcp", Address(host, free[0]))
		is.NoErr(err)
		defer func() { _ = listener.Close() }()
		_, err = bind(netip.MustParseAddr(host), free[0])
		is.Equal(err, syscall.EADDRINUSE)
	})

	t.Run("Should give ports back", func(t *testing.T) {
		is := is.New(t)
		ports, release, err := Reserve(host, 1)
		is.NoErr(err)
		release()
		fd, err := bind(netip.MustParseAddr(host), ports[0])
		is.NoErr(err)
		is.NoErr(syscall.Close(fd))
	})

	t.Run("Should refuse what is no address", func(t *testing.T) {
		is := is.New(t)
		_, _, err := Reserve("localhost", 1)
		is.True(err != nil)
	})
}
