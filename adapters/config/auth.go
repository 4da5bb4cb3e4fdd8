package config

import "errors"

// Auth is how keys are authenticated.
type Auth struct {
	// CacheKeys is how many keys an API process keeps in memory at most, at about 160
	// bytes each; 0: none, each request looks its key up.
	CacheKeys int `env:"CACHE_KEYS" envDefault:"1000000"`
}

func (a Auth) check() error {
	if a.CacheKeys < 0 {
		return errors.New("BULKHEAD_AUTH_CACHE_KEYS: must be 0 or more")
	}
	return nil
}
