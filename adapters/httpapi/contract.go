package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// route names an operation as the router does.
type route struct{ method, pattern string }

// contract is what the OpenAPI document asks of requests, by route.
type contract map[route]*endpoint

// endpoint is what the document says of one operation, in the form in which
// requests are checked against it.
type endpoint struct {
	id     string
	route  route
	public bool // needs no credential
	waits  bool // can be asked to wait
	probe  bool // is asked every few seconds by whoever runs us

	count func(status int, took time.Duration) // counts its requests; nil: as any other's

	limit time.Duration // how long it may take; 0: as long as any request
	cost  int64         // how many requests it counts for
	items itemCost      // and for how many more

	deprecation *deprecation // nil: it stays

	signed     bool // must be signed by GitHub
	idempotent bool // takes an Idempotency-Key
	repeatable bool // what it does outside the database is done once by its name

	path   []parameter
	query  []parameter
	header []parameter

	body         *openapi3.Schema // nil: takes no body
	bodyRequired bool
}

// orgParameter is the parameter of paths that names an organization, by its id or slug.
const orgParameter = "org"

// parameter is one parameter of an operation.
type parameter struct {
	name     string
	required bool
	number   bool // an integer, as text
	truth    bool // true or false
	schema   *openapi3.Schema
	words    string // what it is, for those who got it wrong
}

// The paths that load balancers and orchestrators ask.
const (
	livePath  = "/livez"
	readyPath = "/readyz"
)

var probes = []string{livePath, readyPath}

// loadContract reads the document. What it can not express as a check is an
// error, so that a rule of the document is never dropped in silence.
func loadContract(document []byte) (contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the OpenAPI document: %w", err)
	}
	c := contract{}
	for pattern, item := range doc.Paths.Map() {
		for method, declared := range item.Operations() {
			op, err := newEndpoint(doc, route{method, pattern}, item, declared)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", declared.OperationID, err)
			}
			c[op.route] = op
		}
	}
	return c, nil
}

func newEndpoint(doc *openapi3.T, at route, item *openapi3.PathItem, declared *openapi3.Operation) (*endpoint, error) {
	security := doc.Security
	if declared.Security != nil {
		security = *declared.Security
	}
	op := &endpoint{
		id: declared.OperationID, route: at,
		public: len(security) == 0, probe: slices.Contains(probes, at.pattern),
		repeatable: slices.Contains(repeatable, declared.OperationID), signed: declared.Extensions["x-signed-by"] == "github",
	}
	var err error
	if op.deprecation, err = newDeprecation(declared); err != nil {
		return nil, err
	}
	if op.limit, err = limitOf(declared); err != nil {
		return nil, err
	}
	if op.cost, err = costOf(declared); err != nil {
		return nil, err
	}
	if op.items, err = itemCostOf(declared); err != nil {
		return nil, err
	}
	for _, ref := range slices.Concat(item.Parameters, declared.Parameters) {
		if err := op.add(ref.Value); err != nil {
			return nil, err
		}
	}
	if declared.RequestBody == nil {
		return op, nil
	}
	media := declared.RequestBody.Value.Content[jsonMedia]
	if media == nil || len(declared.RequestBody.Value.Content) != 1 {
		return nil, fmt.Errorf("only bodies of %s are supported", jsonMedia)
	}
	op.body, op.bodyRequired = media.Schema.Value, declared.RequestBody.Value.Required
	return op, nil
}

// limitExtension is how the document gives an operation more time than others.
const limitExtension = "x-timeout-seconds"

func limitOf(declared *openapi3.Operation) (time.Duration, error) {
	given, ok := declared.Extensions[limitExtension]
	if !ok {
		return 0, nil
	}
	seconds, ok := given.(float64)
	if !ok || seconds < 1 {
		return 0, fmt.Errorf("%s must be a number of seconds", limitExtension)
	}
	return time.Duration(seconds) * time.Second, nil
}

// costExtension is how the document makes an operation count for more requests.
const costExtension = "x-cost"

func costOf(declared *openapi3.Operation) (int64, error) {
	given, ok := declared.Extensions[costExtension]
	if !ok {
		return 1, nil
	}
	cost, ok := given.(float64)
	if !ok || cost < 1 || cost != float64(int64(cost)) {
		return 0, fmt.Errorf("%s must be a number of requests", costExtension)
	}
	return int64(cost), nil
}

// itemsExtension is how the document has an operation cost more for more items.
const itemsExtension = "x-cost-items"

// itemCost is what the items of a body cost; the zero value is nothing.
type itemCost struct {
	of   string // the property that is the list
	each int64  // as many cost one request more
}

func itemCostOf(declared *openapi3.Operation) (itemCost, error) {
	given, ok := declared.Extensions[itemsExtension]
	if !ok {
		return itemCost{}, nil
	}
	object, _ := given.(map[string]any)
	of, _ := object["of"].(string)
	each, _ := object["each"].(float64)
	if len(object) != 2 || of == "" || each < 1 || each != float64(int64(each)) {
		return itemCost{}, fmt.Errorf("%s must have the name of a list, as of, and a number of items, as each", itemsExtension)
	}
	return itemCost{of, int64(each)}, nil
}

// weigh returns how many requests more a body counts for.
func (c itemCost) weigh(body any) int64 {
	object, _ := body.(map[string]any)
	list, _ := object[c.of].([]any)
	if len(list) == 0 {
		return 0
	}
	return int64(len(list)) / c.each
}

func (e *endpoint) add(declared *openapi3.Parameter) error {
	schema := declared.Schema.Value
	p := parameter{
		name: declared.Name, required: declared.Required, schema: schema,
		number: schema.Type.Is(openapi3.TypeInteger), truth: schema.Type.Is(openapi3.TypeBoolean), words: declared.Description,
	}
	if !p.number && !p.truth && !schema.Type.Is(openapi3.TypeString) {
		return fmt.Errorf("parameter %s: only strings, integers and booleans are supported", p.name)
	}
	switch declared.In {
	case openapi3.ParameterInPath:
		e.path = append(e.path, p)
	case openapi3.ParameterInQuery:
		e.query = append(e.query, p)
		e.waits = e.waits || p.name == waitParameter
	case openapi3.ParameterInHeader:
		p.name = http.CanonicalHeaderKey(p.name)
		e.header = append(e.header, p)
		e.waits = e.waits || p.name == preferHeader
		e.idempotent = e.idempotent || p.name == idempotencyHeader
	default:
		return fmt.Errorf("parameter %s: %s is not supported", p.name, declared.In)
	}
	return nil
}

// compare returns what the contract and the routes do not have in common.
func (c contract) compare(routes []route) error {
	var missing []string
	for at := range c {
		if !slices.Contains(routes, at) {
			missing = append(missing, at.method+" "+at.pattern+" has no route")
		}
	}
	for _, at := range routes {
		if c[at] == nil {
			missing = append(missing, at.method+" "+at.pattern+" is not in the OpenAPI document")
		}
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("the routes are not those of the contract: %s", strings.Join(missing, "; "))
}
