package isolation

import "testing"

// seed is what an operation needs to be attacked. The zero seed will do for an
// operation without anything but an organization in its path.
type seed struct {
	// Make gives an organization what the operation is asked about, and returns
	// the path and query parameters that name it. It is called for the attackers'
	// organization, for the victim, and for the organization on which the
	// operation is shown to succeed. Every text that it stores comes from
	// party.word, or is unique to the party otherwise.
	Make func(t testing.TB, w *world, p *party) map[string]string

	// Body returns a valid body for the party. What must be unique in it holds
	// the text unique. An id in it that belongs to the party is attacked, too.
	Body func(p *party) map[string]any

	// Header is sent with every valid request.
	Header map[string]string

	// Query is sent with every valid request, too.
	Query func(w *world) string

	// Fatal says that the operation's success would end the organization of the
	// attackers, or the attackers: it is shown to succeed on an organization of
	// its own, and is not sent where it could succeed otherwise.
	Fatal bool

	// Platform says that a key of the platform is needed, although a tenant's role may
	// hold the permission.
	Platform bool

	// Never says why no request of the test succeeds, if none does.
	Never string
}

// unique stands in a body for a text that is another one in each request. It is
// made of lower-case letters and digits.
const unique = "{{unique}}"

type seeds map[string]seed

// seeded is all seeds by their operations. Each area's file adds its own.
var seeded = seeds{}

// add adds an area's seeds.
func add(more seeds) bool {
	for operation, s := range more {
		if _, twice := seeded[operation]; twice {
			panic("two seeds for operation " + operation)
		}
		seeded[operation] = s
	}
	return true
}

// TestSeeds needs no stack, so that a new operation without a seed fails at once.
func TestSeeds(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, o := range contract() {
		known[o.id] = true
		t.Run("Should have a seed for "+o.id, func(t *testing.T) {
			if _, ok := seeded[o.id]; !ok {
				t.Errorf("operation %s has no seed: add one to a seeds_*_test.go, as CONTRIBUTING.md says under Isolation", o.id)
			}
		})
	}
	t.Run("Should have no seed without an operation", func(t *testing.T) {
		for operation := range seeded {
			if !known[operation] {
				t.Errorf("there is a seed for %s, which api/openapi.yaml does not have", operation)
			}
		}
	})
	t.Run("Should attack every operation in 300 ways or more, and the whole API in 15,000", func(t *testing.T) {
		total := 0
		for _, o := range contract() {
			n := distinct(imagined().cases(o))
			total += n
			if n < 300 {
				t.Errorf("operation %s is attacked in %d ways", o.id, n)
			}
		}
		if total < 15_000 {
			t.Errorf("there are %d attacks in all", total)
		}
		t.Logf("%d attacks on %d operations", total, len(contract()))
	})
}
