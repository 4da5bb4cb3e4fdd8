package cli

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestTables(t *testing.T) {
	t.Parallel()
	t.Run("Should not let a name draw on the terminal", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		o := organization(sdk.OrganizationStateActive)
		o.Name = "evil\x1b[2J\nfake line"
		w.answer("GET /organizations", 200, sdk.OrganizationList{Items: []sdk.Organization{o}})
		w.answer("GET /organizations/acme", 200, o)
		for _, args := range [][]string{{"org", "list"}, {"org", "show", "acme"}} {
			_, out, _ := w.run(args...)
			is.True(!strings.ContainsAny(out, "\x1b"))
			is.True(!strings.Contains(out, "\nfake"))
		}
	})
	t.Run("Should colour on a terminal only, and not against NO_COLOR", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		_, plain, _ := w.run("org", "list")
		w.env.OutTerminal = true
		_, out, _ := w.run("org", "list")
		is.True(strings.HasPrefix(out, "\x1b[1mSLUG"))
		w.vars["NO_COLOR"] = "1"
		_, out, _ = w.run("org", "list")
		is.Equal(out, plain)
	})
	t.Run("Should print an empty list as a list", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /organizations/acme/users", 200, sdk.UserList{Items: []sdk.User{}})
		_, out, _ := w.run("user", "list", "-o", "json")
		is.Equal(out, "{\n  \"items\": []\n}\n")
	})
	t.Run("Should take every page", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answers["GET /organizations/acme/users"] = func(out http.ResponseWriter, r *http.Request) {
			l := sdk.UserList{Items: []sdk.User{user("one@acme.example", sdk.RoleViewer)}, NextCursor: "two"}
			if r.URL.Query().Get("cursor") == "two" {
				l = sdk.UserList{Items: []sdk.User{user("two@acme.example", sdk.RoleViewer)}}
			}
			send(out, 200, l)
		}
		_, out, _ := w.run("user", "list")
		is.True(strings.Contains(out, "one@acme.example") && strings.Contains(out, "two@acme.example"))
	})
	t.Run("Should say times as people do", func(t *testing.T) {
		is := is.New(t)
		s := &shell{env: Environment{Now: func() time.Time { return now }}}
		for d, want := range map[time.Duration]string{
			0: "just now", 59 * time.Second: "59s ago", time.Hour: "1h ago", 47 * time.Hour: "47h ago", 48 * time.Hour: "2d ago",
			-90 * time.Minute: "in 1h",
		} {
			is.Equal(s.ago(now.Add(-d)), want)
		}
		is.Equal(s.ago(time.Time{}), "-")
	})
}
