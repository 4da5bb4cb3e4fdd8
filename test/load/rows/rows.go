// Package rows holds the comparisons of `make bench`, each in a file of its own.
package rows

import "github.com/bulkheadhq/bulkhead/test/load/bench"

// All are the comparisons, in the order in which they are measured.
var All = []bench.Comparison{
	whoami,
	whoamiPeers,
	authMiss,
	verify,
	cacheMemory,
	list,
	workflowStart,
	organizationActive,
	fleet,
	limiterRow,
}

// Programs are the sides that run as processes of their own, by name.
var Programs = map[string]bench.Program{
	"chi": bareChi, "httprate": httprateKeys, "httprate+slog": httprateKeysSlog,
	"cache": keepInCache, "map": keepInMap,
	"fleet": runFleet, "workers": runWorkers,
}
