package sdk

import (
	"net/http"
	"testing"

	"github.com/matryer/is"
)

func TestPages(t *testing.T) {
	t.Parallel()
	pages := func(w http.ResponseWriter, r *http.Request) {
		switch cursor := r.URL.Query().Get("cursor"); cursor {
		case "":
			answer(w, 200, `{"items":[{"id":"1"},{"id":"2"}],"next_cursor":"b"}`)
		case "b":
			answer(w, 200, `{"items":[{"id":"3"}],"next_cursor":"c"}`)
		default:
			answer(w, 404, `{"code":"not_found","detail":"gone"}`)
		}
	}
	t.Run("Should walk through pages until an error", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, pages)
		var ids []string
		var last error
		for u, err := range c.AllUsers(t.Context(), "acme", UserFilter{}) {
			if last = err; err == nil {
				ids = append(ids, u.ID)
			}
		}
		is.Equal(ids, []string{"1", "2", "3"})
		is.True(IsNotFound(last))
	})
	t.Run("Should ask for no more pages than wanted", func(t *testing.T) {
		is := is.New(t)
		var asked []string
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.RawQuery)
			pages(w, r)
		})
		for _, err := range c.AllAPIKeys(t.Context(), "acme", APIKeyFilter{}) {
			is.NoErr(err)
			break
		}
		for _, err := range c.AllOrganizations(t.Context(), OrganizationFilter{}) {
			is.NoErr(err)
			break
		}
		is.Equal(asked, []string{"limit=200", "limit=200"})
	})
	t.Run("Should send the options of a page", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			is.Equal(r.URL.RawQuery, "cursor=b&limit=3")
			pages(w, r)
		})
		_, err := c.ListUsers(t.Context(), "acme", UserFilter{}, ListOptions{Limit: 3, Cursor: "b"})
		is.NoErr(err)
	})
}
