package config

import (
	"net/netip"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies struct{ Networks []netip.Prefix }

// What is wrong with a proxy's address.
const (
	proxiesForm      = "must be addresses and networks by comma, such as 10.0.0.7,10.1.0.0/16,2001:db8::/32"
	proxiesEverybody = "names everybody, who then could write any address into X-Forwarded-For: name the proxies"
)

// mappedBits are the bits of an IPv6 address before the IPv4 address that it maps.
const mappedBits = 96

// UnmarshalText reads "10.0.0.7,10.1.0.0/16".
func (p *Proxies) UnmarshalText(b []byte) error {
	p.Networks = nil
	for part := range strings.SplitSeq(string(b), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, ok := network(part)
		if !ok {
			return reasoned(proxiesForm)
		}
		if n.Bits() == 0 {
			return reasoned(proxiesEverybody)
		}
		p.Networks = append(p.Networks, n)
	}
	return nil
}

// network reads an address or a network. One of IPv4 that is written as IPv6 is of IPv4,
// as the addresses are that it is compared with.
func network(s string) (n netip.Prefix, ok bool) {
	n, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return n, false
		}
		n = netip.PrefixFrom(a, a.BitLen())
	}
	if a := n.Addr(); a.Is4In6() {
		n = netip.PrefixFrom(a.Unmap(), n.Bits()-mappedBits)
	}
	return n.Masked(), n.IsValid()
}
