package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestKeyTable(t *testing.T) {
	t.Parallel()
	shown := func(t *testing.T, k sdk.APIKey) string {
		t.Helper()
		w := newWorld(t)
		w.answer("GET /organizations/acme/api-keys/"+keyID, 200, k)
		_, out, _ := w.run("apikey", "get", keyID, "--org", "acme")
		return out
	}
	t.Run("Should show that all secrets have ended with their key", func(t *testing.T) {
		is := is.New(t)
		const both, old = "secret        bhk_NEWKEYNE…0000, ended\n", "old secret    bhk_OLDKEYOL…1111, ended\n"
		revoked := rotatedKey()
		revoked.State = sdk.APIKeyStateRevoked
		expired := rotatedKey()
		expired.ExpiresAt = now.Add(-time.Second)
		for _, k := range []sdk.APIKey{revoked, expired} {
			out := shown(t, k)
			is.True(strings.Contains(out, both))
			is.True(strings.Contains(out, old))
		}
		out := shown(t, rotatedKey())
		is.True(strings.Contains(out, "old secret    bhk_OLDKEYOL…1111, until the new one is used\n"))
		is.True(!strings.Contains(out, "ended"))
	})
	t.Run("Should show the metadata", func(t *testing.T) {
		is := is.New(t)
		k := apiKey(sdk.APIKeyStateActive)
		k.Metadata = sdk.Metadata{"team": "a", "plan": "gold"}
		out := shown(t, k)
		is.True(strings.Contains(out, "metadata plan  gold\nmetadata team  a\n"))
	})
}

func TestImportAtomic(t *testing.T) {
	t.Parallel()
	t.Run("Should say that nobody was added, and for whose sake", func(t *testing.T) {
		is := is.New(t)
		for flag, want := range map[string]string{
			"--atomic":      "error: none of 2 was added: line 3 (b@acme.example) failed, user.email_taken\n",
			"--role=member": "error: 1 of 2 users could not be added\n",
		} {
			w := newWorld(t)
			w.env.In = strings.NewReader("email\na@acme.example\nb@acme.example\n")
			other := sdk.UserBulkItemStatusDone
			if flag == "--atomic" {
				other = sdk.UserBulkItemStatusNotApplied
			}
			w.answer("POST /organizations/acme/users/bulk", 200, sdk.UserBulkResult{Failed: 1, Applied: flag != "--atomic", Items: []sdk.UserBulkItem{
				{Status: other}, {Status: sdk.UserBulkItemStatusFailed, Problem: sdk.ItemProblem{Code: "user.email_taken"}},
			}})
			code, _, err := w.run("user", "import", "-", "--org", "acme", "--role", "member", flag)
			is.Equal(code, 1)
			is.True(strings.HasSuffix(err, want))
		}
	})
	t.Run("Should name no more than a few", func(t *testing.T) {
		is := is.New(t)
		ops, items := make([]sdk.UserBulkOperation, 7), make([]sdk.UserBulkItem, 7)
		for i := range items {
			items[i].Status = sdk.UserBulkItemStatusFailed
		}
		text := refusedLines(ops, items)
		is.Equal(strings.Count(text, "line "), namedLines)
		is.True(strings.HasSuffix(text, "; and 2 more"))
	})
}
