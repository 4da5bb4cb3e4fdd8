package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/config"
)

func TestProxies(t *testing.T) {
	t.Parallel()

	t.Run("Should take addresses and networks, and those of IPv4 however they are written", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(append(complete(), "BULKHEAD_HTTP_TRUSTED_PROXIES=10.0.0.7, 10.1.2.3/16,2001:db8::1,2001:db8:1::/48,::ffff:192.0.2.1,::ffff:10.2.0.0/112,"))
		is.NoErr(err)
		is.Equal(fmt.Sprint(c.HTTP.TrustedProxies.Networks), "[10.0.0.7/32 10.1.0.0/16 2001:db8::1/128 2001:db8:1::/48 192.0.2.1/32 10.2.0.0/16]")
		c, err = config.Load(append(complete(), "BULKHEAD_HTTP_TRUSTED_PROXIES="))
		is.NoErr(err)
		is.Equal(len(c.HTTP.TrustedProxies.Networks), 0)
	})

	for value, says := range map[string]string{
		"balancer.internal":  "must be addresses and networks",
		"10.0.0.0/33":        "must be addresses and networks",
		"10.0.0.7:443":       "must be addresses and networks",
		"fe80::1%eth0":       "must be addresses and networks",
		"::ffff:10.0.0.0/95": "must be addresses and networks",
		"10.0.0.7 10.0.0.8":  "must be addresses and networks",
		"0.0.0.0/0":          "names everybody",
		"10.0.0.7,::/0":      "names everybody",
		"::ffff:0.0.0.0/96":  "names everybody",
	} {
		t.Run("Should say what is wrong with "+value, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := config.Load(append(complete(), "BULKHEAD_HTTP_TRUSTED_PROXIES="+value))
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), "BULKHEAD_HTTP_TRUSTED_PROXIES: "+says))
		})
	}
}
