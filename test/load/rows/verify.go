package rows

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

const verifyPath = "/api/v0/auth/verify"

// verify asks the program as it is shipped what keys are worth, with many tenants and
// with few: what one costs must not grow with the others. Every key has been asked for
// before, and all are asked for alike.
var verify = bench.Comparison{
	Rows: []bench.Row{{Name: "verify-tenants", Target: 0.95, Direction: bench.AtLeast}},
	Measure: func(t *bench.T) []float64 {
		orgs, each := 10_000, 100
		if t.Short {
			orgs, each = 100, 100
		}
		many, few := verifyWith(t, "many", orgs, each), verifyWith(t, "few", 10, 100)
		series := bench.Interleave(t, many.Side(t), few.Side(t))
		bench.Ratio(t, "CPU µs/request", series[0], series[1])
		bench.Ratio(t, "p99 ms", series[0], series[1])
		return []float64{bench.Ratio(t, "requests/s", series[0], series[1])}
	},
}

// verifyWith starts the product on a database with keys, and returns the request by
// which an operator asks for each of them in turn.
func verifyWith(t *bench.T, name string, orgs, each int) bench.Target {
	t.Helper()
	stack := harness.Prepare(t, harness.Postgres(t).Database(t))
	key := stack.Bootstrap(t).OperatorKey
	secrets := populate(t, stack.Database, orgs).addKeys(t, stack.Peppers(t), each)
	url, api := stack.With(t, unlimited)
	api.LogTo(t.TempDir() + "/log")
	api.Start(t)
	address := strings.TrimPrefix(url, "http://")
	target := bench.Target{
		Name: name, Address: address, PID: api.PID(), Words: file(t, secrets),
		Request: bench.Post(address, verifyPath, `{"key":"`+bench.Word+`"}`, "Authorization: Bearer "+key),
	}
	target.Warm(t)
	return target
}
