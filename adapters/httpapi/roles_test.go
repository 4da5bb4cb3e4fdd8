package httpapi

import (
	"net/http"
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
)

func TestRoles(t *testing.T) {
	t.Parallel()

	t.Run("Should show the built-in roles beside the organization's own, each with a version", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		list := decode[gen.RoleList](t, b.call("listRoles"))
		is.Equal(len(list.Items), 5)
		tags := map[string]bool{}
		for _, r := range list.Items {
			is.Equal(r.BuiltIn, r.ID == nil)
			tags[r.Etag] = true
			one := b.do(request("GET", rolesURL+"/"+r.Name, b.admin, ""))
			is.Equal(decode[gen.RoleDefinition](t, one), r)
			is.Equal(one.Header().Get("ETag"), r.Etag)
		}
		is.Equal(len(tags), 5)
	})

	t.Run("Should change the version that is meant, by whichever name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		was := decode[gen.RoleDefinition](t, b.call("getRole"))
		for _, ref := range []string{"deployer", *was.ID} {
			now := decode[gen.RoleDefinition](t, b.do(request("GET", rolesURL+"/"+ref, b.admin, "")))
			r := request("PATCH", rolesURL+"/"+ref, b.admin, `{"description":"By `+ref+`."}`)
			r.Header.Set("If-Match", now.Etag)
			changed := b.do(r)
			is.Equal(changed.Code, http.StatusOK)
			is.True(changed.Header().Get("ETag") != now.Etag)
		}
		r := request("DELETE", rolesURL+"/deployer", b.admin, "")
		r.Header.Set("If-Match", was.Etag)
		is.Equal(b.do(r).Code, http.StatusPreconditionFailed)
	})

	t.Run("Should say of each permission which roles hold it, and what Temporal makes of it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		list := decode[gen.PermissionList](t, setup(t).call("listPermissions"))
		is.Equal(len(list.Items), len(authz.Permissions()))
		temporal := map[string]string{}
		for _, p := range list.Items {
			for _, r := range authz.Roles() {
				held, _ := authz.ParsePermission(p.Name)
				is.Equal(slices.Contains(p.Roles, r.String()), r.Permissions().Has(held))
			}
			if p.Temporal != nil {
				temporal[p.Name] = string(*p.Temporal)
			}
		}
		is.Equal(temporal, map[string]string{"tokens:read": "read", "tokens:write": "write"})
	})
}
