package httpapi

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/authz"
)

// TestPermissions holds every operation to state what it needs. That the product
// asks for just that is what test/isolation shows.
func TestPermissions(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			t.Run("Should state by x-permission what it needs: "+op.OperationID, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				stated, _ := op.Extensions["x-permission"].(string)
				public := op.Security != nil && len(*op.Security) == 0
				is.Equal(stated == "public", public) // "public" is what needs no credential
				if public || stated == "none" {      // "none" is for everybody who has one
					return
				}
				_, err := authz.ParsePermission(stated)
				is.NoErr(err) // x-permission is public, none, or a permission of core/authz
			})
		}
	}
}
