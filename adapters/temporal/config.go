package temporal

import (
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/org"
)

// Config is how Temporal is reached. The zero value of every field but Address
// is usable.
type Config struct {
	// Address is the host and port of the frontend.
	Address string
	// TLS secures the connections; nil is for a frontend on the same machine.
	TLS *tls.Config
	// SystemNamespace is where Bulkhead's own workflows run; "" is
	// org.SystemNamespace.
	SystemNamespace string
	// Identity names this process in histories; "" is its number and host.
	Identity string
	// SystemRetention is how long Bulkhead's own closed workflows are kept;
	// zero is a week.
	SystemRetention time.Duration
	// CallTimeout is the deadline of a single call; zero is 5 seconds.
	CallTimeout time.Duration
	// PollSlice is the longest that one long poll for a result lasts; zero is 2
	// seconds. It bounds what the loss of a notification costs.
	PollSlice time.Duration
	// AllowInsecure lets CheckServer accept a frontend that does not keep
	// tenants apart.
	AllowInsecure bool
}

// withDefaults fails when the address is missing, or when the system namespace
// would change the meaning of a token's permission.
func (c Config) withDefaults() (Config, error) {
	if c.Address == "" {
		return c, errors.New("temporal: the address of the frontend is not configured")
	}
	if c.SystemNamespace == "" {
		c.SystemNamespace = org.SystemNamespace
	}
	if c.SystemNamespace == clusterScope || strings.Contains(c.SystemNamespace, ":") {
		return c, errors.New("temporal: the system namespace may neither be " + clusterScope + " nor hold a colon")
	}
	setDefault(&c.SystemRetention, 7*24*time.Hour)
	setDefault(&c.CallTimeout, 5*time.Second)
	setDefault(&c.PollSlice, 2*time.Second)
	return c, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}
