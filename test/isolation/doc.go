// Package isolation attacks the product the way a tenant would, and watches
// another tenant while it does. The attacks are generated from api/openapi.yaml:
// what an operation needs to be attacked, its seed, is all that is written by
// hand, and an operation without one fails the build (TestSeeds).
//
// The tests run the product as it is shipped: API and worker as processes of
// their own, on a real Postgres and a real Temporal server. `go test` sends a
// fixed sample of every operation's attacks; `make test/isolation` sends them all,
// sends them again with row-level security switched off, and then proves that the
// attacks have power, by finding the faults of package faults one by one.
//
// CONTRIBUTING.md says how to add a seed and a fault.
package isolation
