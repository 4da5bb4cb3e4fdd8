package authz_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

func TestCatalogue(t *testing.T) {
	t.Parallel()

	t.Run("Should name and explain every permission, each once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		form := regexp.MustCompile(`^[a-z]+:[a-z]+$`)
		names, meanings := map[string]bool{}, map[string]bool{}
		ps := permissions()
		for i, p := range ps {
			is.Equal(int(p), i+1) // no gaps: each permission that is declared has its line in the catalogue
			is.True(form.MatchString(p.String()))
			is.True(p.Meaning() != "")
			is.True(!names[p.String()])
			is.True(!meanings[p.Meaning()])
			names[p.String()], meanings[p.Meaning()] = true, true
		}
		is.Equal(len(ps), authz.Operator.Permissions().Len())
		is.True(len(ps) < 64) // a Set has a bit each
	})

	t.Run("Should read back the name it wrote", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, p := range permissions() {
			back, err := authz.ParsePermission(p.String())
			is.NoErr(err)
			is.Equal(back, p)
		}
	})

	t.Run("Should refuse any other name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range []string{"", "*", "users", "users:*", "Users:read", "users:read ", "users:write"} {
			p, err := authz.ParsePermission(s)
			is.True(err != nil)
			is.Equal(p, authz.Permission(0))
		}
	})

	t.Run("Should permit nothing by a value that is no permission", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		last := permissions()[len(permissions())-1]
		for _, p := range []authz.Permission{0, last + 1, 63, 64, 255} {
			is.Equal(p.String(), "")
			is.Equal(p.Meaning(), "")
			is.True(!authz.Operator.Permissions().Has(p))
			is.True(errors.Is(holder(id.SystemOrg, authz.Operator).Require(p, id.SystemOrg), fault.ErrForbidden))
		}
	})
}

func TestSet(t *testing.T) {
	t.Parallel()
	some := authz.SetOf(authz.UsersRead, authz.WorkflowsStart)

	t.Run("Should hold what it was made of", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, p := range permissions() {
			is.Equal(some.Has(p), p == authz.UsersRead || p == authz.WorkflowsStart)
		}
		is.Equal(some.Len(), 2)
		is.Equal(some.Names(), []string{"users:read", "workflows:start"})
		is.Equal(authz.Set(0).Names(), []string{})
	})

	t.Run("Should compare and intersect", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.True(authz.SetOf(authz.UsersRead).Within(some))
		is.True(some.Within(some))
		is.True(authz.Set(0).Within(authz.Set(0)))
		is.True(!some.Within(authz.SetOf(authz.UsersRead)))
		is.Equal(some.And(authz.SetOf(authz.UsersRead, authz.UsersCreate)), authz.SetOf(authz.UsersRead))
	})

	t.Run("Should be read from names", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		back, err := authz.ParseSet(some.Names())
		is.NoErr(err)
		is.Equal(back, some)
		back, err = authz.ParseSet(nil)
		is.NoErr(err)
		is.Equal(back, authz.Set(0))
	})

	t.Run("Should refuse a list with an unknown name as a whole, and say where the known ones are listed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		s, err := authz.ParseSet([]string{"users:read", "users:raed"})
		var unknown *authz.UnknownPermissionError
		is.True(errors.As(err, &unknown))
		is.Equal(s, authz.Set(0))
		is.Equal(unknown.Index, 1)
		is.True(strings.Contains(unknown.Rule(), "/api/v0/authz/permissions"))
		is.True(!strings.Contains(err.Error(), "raed")) // it repeats no input
	})
}
