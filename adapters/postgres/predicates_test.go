package postgres_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// token is a piece of a statement.
type token struct {
	text       string
	begin, end int // where it stands in the statement
}

// tokenPattern knows the pieces of which our queries are made. What it does not
// know is a mistake, not something to be skipped.
var tokenPattern = regexp.MustCompile(`^(?:(--[^\n]*|\s+)|'(?:[^']|'')*'|"[^"]+"|\$\d+|\d+(?:\.\d+)?|[A-Za-z_]\w*|::|<>|<=|>=|=>|\|\||->>|->|@>|<@|&&|[=<>(),.;*+\-/\[\]])`)

// tokenize cuts a statement into its pieces.
func tokenize(statement string) ([]token, error) {
	var out []token
	for at := 0; at < len(statement); {
		m := tokenPattern.FindStringSubmatchIndex(statement[at:])
		if m == nil {
			return nil, fmt.Errorf("unknown piece of a statement: %.20q", statement[at:])
		}
		if m[2] < 0 { // not white space
			out = append(out, token{strings.ToLower(statement[at : at+m[1]]), at, at + m[1]})
		}
		at += m[1]
	}
	return out, nil
}

// predicate is a comparison of an organization's column in a statement.
type predicate struct {
	token
	parameter string // "$1", or "" when two columns are compared
}

var (
	startsCondition = []string{"where", "and", "or", "on", "(", "not", "when"}
	endsCondition   = []string{
		"and", "or", ")", ";", ",", "order", "group", "having", "limit", "offset", "for", "returning", "union", "then",
		"left", "right", "inner", "cross", "join", "on", "where",
	}
)

// predicates finds the comparisons that bind a statement to an organization. own
// says that the statement is about organizations themselves, whose id is the
// tenancy.
func predicates(statement string, own bool) ([]predicate, error) {
	all, err := tokenize(statement)
	if err != nil {
		return nil, err
	}
	text := func(i int) string {
		if i < 0 || i >= len(all) {
			return ";"
		}
		return all[i].text
	}
	// column reads a column, perhaps with its table, at i and returns what follows.
	column := func(i int) (name string, next int) {
		if text(i+1) == "." {
			return text(i + 2), i + 3
		}
		return text(i), i + 1
	}
	var out []predicate
	for i := range all {
		if !slices.Contains(startsCondition, text(i-1)) {
			continue
		}
		left, next := column(i)
		if text(next) != "=" {
			continue
		}
		p := predicate{token: token{begin: all[i].begin}}
		right, next := column(next + 1)
		if strings.HasPrefix(right, "$") {
			p.parameter = right
		}
		if text(next) == "::" {
			next += 2
		}
		tenancy := left == "org_id" || right == "org_id" || (own && left == "id" && p.parameter == "$1")
		if !tenancy {
			continue
		}
		if !slices.Contains(endsCondition, text(next)) {
			return nil, fmt.Errorf("the comparison with the organization goes on in a form that is not known: %s", statement[all[i].begin:])
		}
		p.end = all[next-1].end
		out = append(out, p)
	}
	return out, nil
}

// without returns the statement without the predicates. Their parameters stay,
// so that the others keep their numbers and the types that they have.
func without(statement string, gone ...predicate) string {
	gone = slices.Clone(gone)
	slices.SortFunc(gone, func(a, b predicate) int { return b.begin - a.begin })
	for _, p := range gone {
		instead := "true"
		if p.parameter != "" {
			instead = p.parameter + "::uuid IS NOT NULL"
		}
		statement = statement[:p.begin] + instead + statement[p.end:]
	}
	return statement
}

// mentioned returns which of the tables a statement is about.
func mentioned(statement string, tables []string) []string {
	all, err := tokenize(statement)
	if err != nil {
		return nil
	}
	var out []string
	for i := 1; i < len(all); i++ {
		if slices.Contains([]string{"from", "join", "into", "update", "using", ","}, all[i-1].text) &&
			slices.Contains(tables, all[i].text) && !slices.Contains(out, all[i].text) {
			out = append(out, all[i].text)
		}
	}
	return out
}

func TestPredicates(t *testing.T) {
	t.Parallel()

	for statement, want := range map[string][]string{
		"SELECT a FROM t WHERE org_id = $1 AND id = $2":                    {"SELECT a FROM t WHERE $1::uuid IS NOT NULL AND id = $2"},
		"SELECT a FROM t x WHERE id = $2 AND x.org_id = $1::uuid LIMIT $3": {"SELECT a FROM t x WHERE id = $2 AND $1::uuid IS NOT NULL LIMIT $3"},
		"UPDATE t SET a = $3 WHERE org_id = $1\nRETURNING a":               {"UPDATE t SET a = $3 WHERE $1::uuid IS NOT NULL\nRETURNING a"},
		"SELECT 1 FROM t JOIN u ON u.org_id = t.org_id WHERE t.org_id = $1": {
			"SELECT 1 FROM t JOIN u ON true WHERE t.org_id = $1", "SELECT 1 FROM t JOIN u ON u.org_id = t.org_id WHERE $1::uuid IS NOT NULL",
		},
		"SELECT 1 FROM t WHERE (SELECT count(*) FROM u WHERE org_id = $1) > 0": {"SELECT 1 FROM t WHERE (SELECT count(*) FROM u WHERE $1::uuid IS NOT NULL) > 0"},
		"INSERT INTO t (org_id, id) VALUES ($1, $2)":                           nil,
		"SELECT 'WHERE org_id = $1' -- WHERE org_id = $1\nFROM t":              nil,
		"UPDATE t SET org_id = $1 WHERE id = $2":                               nil,
		"SELECT 1 FROM t WHERE org_id <> $1 ORDER BY org_id":                   nil,
	} {
		t.Run("Should find what binds to an organization in "+statement, func(t *testing.T) {
			is := is.New(t)
			found, err := predicates(statement, false)
			is.NoErr(err)
			var got []string
			for _, p := range found {
				got = append(got, without(statement, p))
			}
			is.Equal(got, want)
		})
	}

	t.Run("Should refuse what it does not know", func(t *testing.T) {
		is := is.New(t)
		for _, statement := range []string{"SELECT 1 FROM t WHERE org_id = $1 + $2", "SELECT `a`"} {
			_, err := predicates(statement, false)
			is.True(err != nil)
		}
	})

	t.Run("Should take an organization's own id for the tenancy, of organizations alone", func(t *testing.T) {
		is := is.New(t)
		for own, want := range map[bool]int{true: 1, false: 0} {
			found, err := predicates("SELECT a FROM organizations WHERE id = $1 FOR UPDATE", own)
			is.NoErr(err)
			is.Equal(len(found), want)
		}
	})
}
