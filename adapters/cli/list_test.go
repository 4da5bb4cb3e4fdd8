package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/urfave/cli/v2"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	var lists []string
	walk((&shell{}).app().Commands, nil, func(path []string, c *cli.Command) {
		if findFlag(c.Flags, "limit") != nil {
			lists = append(lists, strings.Join(path, " "))
		}
	})
	t.Run("Should be a flag of every list that has pages", func(t *testing.T) {
		is := is.New(t)
		is.Equal(strings.Join(lists, ", "), "org list, org usage, namespace orphans, user list, role list, apikey list, workflow history, workflow list, "+
			"workflow batch list, schedule list, operation list, audit list")
	})
	for _, list := range lists {
		t.Run("Should be refused by "+list+" unless it is a number above 0", func(t *testing.T) {
			is := is.New(t)
			for _, given := range []string{"abc", "0", "-1", "1.5"} {
				w := newWorld(t)
				args := strings.Fields(list)
				if list == "workflow history" {
					args = append(args, "greet-1")
				}
				code, _, err := w.run(append(args, "--limit", given)...)
				is.Equal(code, 2)
				is.True(strings.HasPrefix(err, `error: --limit is a whole number above 0, not "`+given+`"`))
				is.Equal(len(w.asked()), 0)
			}
		})
	}
	t.Run("Should bound what is listed", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /organizations/acme/users", 200, sdk.UserList{Items: []sdk.User{
			user("one@acme.example", sdk.RoleViewer), user("two@acme.example", sdk.RoleViewer), user("three@acme.example", sdk.RoleViewer),
		}})
		for args, want := range map[string]int{"": 3, "--limit 2": 2, "--limit 9": 3} {
			_, out, _ := w.run(append(strings.Fields("user list --org acme -o json"), strings.Fields(args)...)...)
			var l sdk.UserList
			is.NoErr(json.Unmarshal([]byte(out), &l))
			is.Equal(len(l.Items), want)
		}
	})
	t.Run("Should name the flag whose value is of another sort, and what it takes", func(t *testing.T) {
		is := is.New(t)
		for line, want := range map[string]string{
			"workflow result x --wait soon":               `--wait is a time such as 90s, 15m or 12h, not "soon"`,
			"workflow reset x --reason y --event z":       `--event is a whole number, not "z"`,
			"org update acme --deletion-grace-days never": `--deletion-grace-days is a whole number, not "never"`,
		} {
			code, _, err := newWorld(t).run(strings.Fields(line)...)
			is.Equal(code, 2)
			is.True(strings.HasPrefix(err, "error: "+want+"\n"))
		}
	})
}
