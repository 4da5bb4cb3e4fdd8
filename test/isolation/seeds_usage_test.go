package isolation

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

var _ = add(seeds{"listUsage": {Make: makeUsage}})

// makeUsage has two keys ask something, and waits until that is written: usage is
// counted in memory, and two of its lines make two pages.
func makeUsage(t testing.TB, w *world, p *party) map[string]string {
	t.Helper()
	const question = "/api/v0/auth/whoami"
	w.call(t, p.key, "GET", question, nil)
	w.call(t, w.newKey(t, p, map[string]any{"name": p.word("key name"), "user_id": p.Values["user"]}), "GET", question, nil)
	harness.Eventually(t, "the use of two keys is written", func() bool {
		lines, _ := w.call(t, p.key, "GET", "/api/v0/organizations/"+p.ID+"/usage", nil)["items"].([]any)
		return len(lines) > 1
	})
	return nil
}
