package apikey_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/matryer/is"
)

// TestGitleaksRule keeps the rule that ships with the project true to the form of
// keys.
func TestGitleaksRule(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	text, err := os.ReadFile("../../docs/security/gitleaks.toml")
	is.NoErr(err)
	found := regexp.MustCompile(`(?m)^regex = '''(.+)'''$`).FindSubmatch(text)
	is.True(found != nil)
	rule := regexp.MustCompile(string(found[1]))
	for range 100 {
		secret := newSecret(t).Reveal()
		is.Equal(rule.FindString("export KEY="+secret+"\n"), secret)
		is.True(!rule.MatchString(secret[:52]))
		is.True(!rule.MatchString(secret + "x"))
	}
}
