package wire_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ruleWords say what a rule asks for.
var ruleWords = map[string]string{
	"active_user": "the user must be an active one of the organization",
	"characters":  "it holds a character that can not be kept, such as NUL",
	"combination": "it can not stand with what another field says",
	"conflict":    "it contradicts another field",
	"cidr":        "it must be an address range, such as `192.0.2.0/24`",
	"cron":        "it must be a cron of 5, 6 or 7 fields, or the name of one",
	"depth":       "arrays and objects may be nested 32 levels deep",
	"duplicate":   "a name must stand once in an object",
	"encoding":    "it must be valid UTF-8, and percent-encoded where it stands in the address",
	"enum":        "it must be one of a list",
	"exists":      "it must name something that is there",
	"format":      "it must have the form that the document states",
	"future":      "it must be a time to come",
	"kind":        "it is for limits of another kind: rates, or quotas",
	"length":      "it is too short or too long",
	"match":       "it is not what it confirms",
	"max_items":   "the list is too long",

	"max_properties": "there are too many keys",
	"max_length":     "the text is too long",
	"max_size":       "all of it together is too large",
	"max_ttl":        "it must not live for so long",
	"max_runs":       "it would start too many workflows",
	"max_span":       "the two times are too far apart",
	"min_items":      "the list is too short",
	"min_length":     "the text is too short",
	"order":          "it must come after what it ends",
	"past":           "it must be a time that is over",
	"platform":       "it belongs to operators alone",
	"quota":          "it is beyond what the organization may have",
	"range":          "the number, or time, is out of bounds",
	"repeated":       "it must stand once in the request",
	"required":       "it is missing",
	"reserved":       "the name is kept for Bulkhead itself",
	"syntax":         "it is no JSON",
	"time_zone":      "it must be the name of a time zone, such as `Europe/Berlin`",
	"trailing":       "nothing may follow the JSON value",
	"trim":           "it must not begin or end with a space",
	"type":           "it is of another JSON type",
	"unexpected":     "it must be absent here",
	"unsupported":    "it is never taken; the detail names what is instead",
	"unique":         "it is used already",
	"unknown":        "the operation does not know it",
}

// ruleForms are how the source names a rule.
var ruleForms = regexp.MustCompile(`(?:Rule: *|InvalidField\([^,\n]+, *|rule[A-Z][A-Za-z]* *= *|\.put\([^,\n]+, *|\.broken\()"([a-z_]+)"`)

// rulesInSource lists the rules that the source names.
func rulesInSource(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, root := range []string{"../core", "../adapters/httpapi"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, match := range ruleForms.FindAllSubmatch(source, -1) {
				found[string(match[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := slices.Sorted(maps.Keys(found))
	for _, name := range names {
		if ruleWords[name] == "" {
			t.Errorf("docs/errors.md would not say what the rule %q asks for", name)
		}
	}
	return names
}

// actionForm is how the source names what the audit trail records.
var actionForm = regexp.MustCompile(`\baction\("([a-z_.]+)"\)`)

func TestAuditPage(t *testing.T) {
	t.Run("Should name every action", func(t *testing.T) {
		source, err := os.ReadFile("../core/audit/audit.go")
		if err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile("../docs/security/audit.md")
		if err != nil {
			t.Fatal(err)
		}
		actions := actionForm.FindAllSubmatch(source, -1)
		if want := strings.Count(string(source), " = action("); len(actions) != want || want == 0 {
			t.Fatalf("%d actions are read, of %d in the source", len(actions), want)
		}
		for _, match := range actions {
			if name := string(match[1]); !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/security/audit.md does not name %s", name)
			}
		}
	})
}
