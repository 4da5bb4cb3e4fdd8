package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientIP returns the address that the request came from. It is the peer's,
// unless that is a proxy we trust; then it is the rightmost address of
// X-Forwarded-For that is not itself a trusted proxy's. What stands further left
// is whatever the client liked to write.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := peer.Addr().Unmap()
	if len(trusted) == 0 || !trusts(trusted, ip) {
		return ip
	}
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for _, hop := range slices.Backward(strings.Split(line, ",")) {
			parsed, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return ip // what is left of it can not be told
			}
			ip = parsed
			if !trusts(trusted, ip) {
				return ip
			}
		}
	}
	return ip
}

// cameOverTLS tells whether the client speaks TLS: to us, or to a proxy that we
// trust and that says so.
func cameOverTLS(r *http.Request, trusted []netip.Prefix) bool {
	if r.TLS != nil {
		return true
	}
	if len(trusted) == 0 || r.Header.Get("X-Forwarded-Proto") != "https" {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && trusts(trusted, peer.Addr().Unmap())
}

// parseHop reads an address, as some proxies write it with its port, or in brackets.
func parseHop(s string) (netip.Addr, bool) {
	plain := s
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok && strings.Contains(inner, ":") {
			plain = inner
		}
	}
	if ip, err := netip.ParseAddr(plain); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	withPort, err := netip.ParseAddrPort(s)
	return withPort.Addr().Unmap().WithZone(""), err == nil
}

func trusts(trusted []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}
