package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// withoutOrg lists the queries that name no organization, with the reason.
var withoutOrg = map[string]string{
	"PlatformOrgGet":        "platform",
	"PlatformOrgGetBySlug":  "platform",
	"PlatformOrgListOldest": "platform",
	"PlatformOrgListNewest": "platform",
	"PlatformOrgListBySlug": "platform",
	"PlatformOrgListActive": "platform",
	"PlatformOperationGet":  "platform",
	"PlatformAuditList":     "platform",
	"OutboxClaim":           "platform: the relay works for all",
	"OutboxDelete":          "platform",
	"OutboxRetry":           "platform",
	"OutboxNotify":          "reads no table",
	"IdempotencyErase":      "platform: what has expired, of all",
	"CredentialFind":        "how the organization becomes known",
	"CredentialChanges":     "authentication's role: what has changed, of all",
	"APIKeyUseRecord":       "platform: names the organization of each row",
	"KeyCensusPeppers":      "authentication's role: counts, of all",
	"KeyCensusDue":          "authentication's role: whose key is to be warned of, of all",
	"UsageAdd":              "platform: names the organization of each row",
	"UsageErase":            "platform: what is older than it is kept, of all",
	"DispatchOpen":          "platform: what is undecided, of all",
	"DispatchErase":         "platform: what has been kept for its time, of all",
	"SigningKeyList":        "of the platform",
	"WorkerMemberHold":      "of the platform",
	"WorkerMemberLeave":     "of the platform",
	"WorkerMemberList":      "of the platform",
	"WorkerMemberLeases":    "of the platform",
	"NamespacePassClaim":    "of the platform",
	"NamespacePassGet":      "of the platform",
	"NamespacePassSave":     "of the platform",
	"SigningKeyLock":        "reads no table",
	"SigningKeyUpsert":      "of the platform",
	"AuditPurge":            "the function is given it, and refuses any but the scope's",
	"OrgPurge":              "the function is given it, and refuses any but the scope's",

	"PlatformOrgListBySlugBackwards": "platform",
}

var (
	queryName = regexp.MustCompile(`(?m)^-- name: (\w+) :\w+$`)

	// The forms in which a query may name its organization: as the first condition,
	// or as the first value it stores.
	orgCondition = regexp.MustCompile(`WHERE (\w+\.)?org_id = (@org_id|\$1)\b`)
	ownCondition = regexp.MustCompile(`WHERE id = (@org_id|\$1)\b`)
	orgValue     = regexp.MustCompile(`^\s*(WITH \w+ AS \(\s+)?INSERT INTO \w+( AS \w+)? \((org_)?id,[^)]*\)\s+(?:VALUES \(|SELECT )@org_id,`)
)

// TestQueries reads the source of the queries, so that one which is added can
// not forget its organization.
func TestQueries(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../sql/queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	listed := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(source)
		found := queryName.FindAllStringSubmatchIndex(text, -1)
		for i, at := range found {
			name, end := text[at[2]:at[3]], len(text)
			if i+1 < len(found) {
				end = found[i+1][0]
			}
			body := text[at[1]:end]
			if withoutOrg[name] != "" {
				listed[name] = true
				continue
			}
			t.Run("Should name the organization in "+name, func(t *testing.T) {
				is := is.New(t)
				own := strings.HasPrefix(name, "Org") && ownCondition.MatchString(body)
				is.True(own || orgCondition.MatchString(body) || orgValue.MatchString(body))
			})
		}
	}
	t.Run("Should list no query that is gone", func(t *testing.T) {
		is := is.New(t)
		is.Equal(len(listed), len(withoutOrg))
	})
}
