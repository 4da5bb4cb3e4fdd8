package isolation

import "testing"

var _ = add(seeds{
	// What the party asked of the API is its usage, by the ids of its keys.
	"listUsage": {Make: func(testing.TB, *world, *party) map[string]string { return nil }},
})
