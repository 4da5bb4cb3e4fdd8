package isolation

import "testing"

// perFamily is the size of the sample that `go test` sends: attacks of each
// family on each operation.
const perFamily = 3

func TestMatrix(t *testing.T) {
	w := newWorld(t)
	most := perFamily
	if full() {
		most = 0
	}

	t.Run("Should give each role what is stated, and no more", func(t *testing.T) { everyRight(t, w) })

	t.Run("Should ask for the permission that the document states, and for no other", func(t *testing.T) { everyPermission(t, w) })

	t.Run("Should let no attack through", func(t *testing.T) {
		r := &run{w: w, sampled: most}
		r.everything(t)
		r.report(t)
		r.succeed(t)
	})
}

// report fails the test for each finding.
func (r *run) report(t *testing.T) {
	t.Helper()
	for _, f := range r.findings {
		t.Error(f)
	}
	t.Logf("%d attacks, %d findings", r.cases, len(r.findings))
}
