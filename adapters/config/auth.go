package config

import (
	"errors"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// Auth is how keys are authenticated.
type Auth struct {
	// CacheKeys is how many keys an API process keeps in memory at most, at about 170
	// bytes each; 0: none, each request looks its key up.
	CacheKeys int `env:"CACHE_KEYS" envDefault:"1000000"`
	// Failures is how often an address may fail to authenticate.
	Failures Failures `env:"FAILURES" envDefault:"120/1m/60"`
}

func (a Auth) check() error {
	if a.CacheKeys < 0 {
		return errors.New("BULKHEAD_AUTH_CACHE_KEYS: must be 0 or more")
	}
	return nil
}

// Failures is a rate for each address; zero is none.
type Failures struct{ ratelimit.Rate }

// noFailures is the value that switches the limit off.
const noFailures = "off"

// UnmarshalText reads "120/1m/60": a count, a period and a burst, which may be left
// out.
func (f *Failures) UnmarshalText(b []byte) error {
	f.Rate = ratelimit.Rate{}
	if string(b) == noFailures {
		return nil
	}
	spec, ok := parseSpec(limit.Requests, string(b))
	if !ok {
		return reasoned("must have the form 120/1m/60, a count, a period and a burst, or be " + noFailures)
	}
	made, err := limit.Requests.New(spec)
	if err != nil {
		return reasoned(fault.From(err).Fields[0].Detail)
	}
	f.Rate = made.Rate
	return nil
}
