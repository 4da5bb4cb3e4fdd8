package isolation

import (
	"fmt"
	"os"
	"testing"

	"github.com/bulkheadhq/bulkhead/test/isolation/faults"
)

// perFamily is the size of the sample that `go test` sends: attacks of each
// family on each operation.
const perFamily = 3

func TestMatrix(t *testing.T) {
	w := newWorld(t)
	most, all := perFamily, faults.All[:1]
	if full() {
		most, all = 0, faults.All
	}
	cases, findings, found := 0, 0, 0
	attack := func(t *testing.T, most int) *run {
		t.Helper()
		r := &run{w: w, sampled: most}
		r.everything(t)
		for _, f := range r.findings {
			t.Error(f)
		}
		t.Logf("%d attacks, %d findings", r.cases, len(r.findings))
		findings += len(r.findings)
		return r
	}

	t.Run("Should give each role what is stated, and no more", func(t *testing.T) { everyRight(t, w) })

	t.Run("Should ask for the permission that the document states, and for no other", func(t *testing.T) { everyPermission(t, w) })

	t.Run("Should let no attack through", func(t *testing.T) {
		r := attack(t, most)
		cases = r.cases
		r.succeed(t)
		for _, what := range w.lack() {
			t.Error(what)
		}
	})

	t.Run("Should let none through without row-level security", func(t *testing.T) {
		w.bypass(t, true)
		defer w.bypass(t, false)
		attack(t, most)
	})

	w.sameness(t)

	t.Run("Should hold at Temporal's own frontend", func(t *testing.T) { cases += w.temporal(t) })

	t.Run("Should have the power to find what is wrong", func(t *testing.T) {
		found = w.power(t, all)
	})

	// What was found was found for the fault, and not for what an earlier one left behind.
	t.Run("Should find nothing when no fault is planted", func(t *testing.T) {
		attack(t, perFamily)
	})

	line := fmt.Sprintf("isolation: %d cases, %d/%d operations, %d findings, planted %d/%d\n",
		cases, len(seeded), len(contract()), findings, found, len(all))
	t.Log(line)
	if full() {
		if err := os.WriteFile(*report, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
