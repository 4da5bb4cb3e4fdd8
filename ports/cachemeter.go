package ports

import "time"

// CacheMeter measures the cache of credentials, for whoever runs the deployment.
type CacheMeter interface {
	// WatchCache hands over the function that is asked each time somebody measures.
	WatchCache(read func() CacheStats)
}

// CacheStats is the state of a cache of credentials, and what has happened to it
// since the process began.
type CacheStats struct {
	Staleness   time.Duration // how long ago the last look at what has changed began
	Size        int64         // keys that are kept
	Hits        uint64        // keys that were found, or were known to be none
	Misses      uint64        // keys for which the database was asked
	Invalidated uint64        // keys and organizations that had to be read anew
}
