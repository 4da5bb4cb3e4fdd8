package isolation

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkheadhq/bulkhead/api"
)

// operation is one operation of the OpenAPI document.
type operation struct {
	id     string
	method string
	path   string
	public bool // needs no credential

	permission   string // x-permission; "" when the document states none
	params       []*openapi3.Parameter
	body         *openapi3.Schema // nil: takes none
	bodyOptional bool             // without one it is the same as with {}
	siblings     []string         // the methods that the path has
}

// contract is the document's operations by their ids, in order.
var contract = sync.OnceValue(func() []*operation {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err != nil {
		panic("api/openapi.yaml: " + err.Error()) // the product would not start
	}
	var all []*operation
	for path, item := range doc.Paths.Map() {
		for method, declared := range item.Operations() {
			o := &operation{id: declared.OperationID, method: method, path: path}
			security := doc.Security
			if declared.Security != nil {
				security = *declared.Security
			}
			o.public = len(security) == 0
			o.permission, _ = declared.Extensions["x-permission"].(string)
			for _, ref := range slices.Concat(item.Parameters, declared.Parameters) {
				o.params = append(o.params, ref.Value)
			}
			if declared.RequestBody != nil {
				o.body = declared.RequestBody.Value.Content["application/json"].Schema.Value
				o.bodyOptional = !declared.RequestBody.Value.Required
			}
			for sibling := range item.Operations() {
				o.siblings = append(o.siblings, sibling)
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int { return cmp.Compare(a.id, b.id) })
	return all
})

// properties is every property that any schema of the document has, and some
// that none has: what an attacker would try to set.
var properties = sync.OnceValue(func() []string {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		panic(err)
	}
	found := map[string]bool{}
	for _, name := range []string{
		"org", "org_id", "tenant", "tenant_id", "owner_id", "is_admin", "admin", "platform", "actor", "version", "hash",
		"permissions", "created_by", "__proto__", "orgId", "Role", "ROLE",
	} {
		found[name] = true
	}
	for _, schema := range doc.Components.Schemas {
		for name := range schema.Value.Properties {
			found[name] = true
		}
	}
	all := make([]string, 0, len(found))
	for name := range found {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
})

// has tells whether the operation declares a parameter.
func (o *operation) has(in, name string) bool {
	return slices.ContainsFunc(o.params, func(p *openapi3.Parameter) bool {
		return p.In == in && strings.EqualFold(p.Name, name)
	})
}

// vocabulary are the path parameters that name what every organization has under the
// same names, which stand in the documentation: none is anybody's.
var vocabulary = []string{"limit"}

// subs are the path parameters that name something inside an organization.
func (o *operation) subs() []string {
	var names []string
	for _, p := range o.params {
		if p.In == openapi3.ParameterInPath && p.Name != orgParameter && !slices.Contains(vocabulary, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// ofOrg tells whether the operation's path names an organization.
func (o *operation) ofOrg() bool { return o.has(openapi3.ParameterInPath, orgParameter) }

// declares tells whether the operation's body may have a property.
func (o *operation) declares(property string) bool {
	return o.body != nil && o.body.Properties[property] != nil
}

// orgParameter is the path parameter that names an organization.
const orgParameter = "org"

// expand puts values into the path. They are escaped, but for those of raw,
// which are sent as they are.
func (o *operation) expand(values, raw map[string]string) string {
	path := o.path
	for _, p := range o.params {
		if p.In != openapi3.ParameterInPath {
			continue
		}
		text, isRaw := raw[p.Name]
		if !isRaw {
			text = url.PathEscape(values[p.Name])
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", text)
	}
	return path
}

// reads tells whether the operation only reads.
func (o *operation) reads() bool { return o.method == http.MethodGet }
