package isolation

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkheadhq/bulkhead/core/authz"
)

// The oracles: the rules that an answer can break.
const (
	foreignSuccess   = "success on what is foreign"
	massAssignment   = "an undeclared property is accepted"
	powerExceeded    = "more power given than had"
	permissionDenied = "success without the permission"
	secretSeen       = "a secret of another organization is seen"
	secretLogged     = "a secret of another organization is logged"
	victimChanged    = "the other organization is changed"
	foreignTold      = "what is foreign is told from what is absent"
	refusalTold      = "refused credentials are told apart"
	serverFault      = "a fault of the server"
	noAnswer         = "no answer"
)

// cases returns all attacks on an operation.
func (w *world) cases(o *operation) []*attack {
	g := &generator{w: w, o: o, seed: seeded[o.id]}
	for _, by := range w.attackers {
		g.by = by
		g.own()
		g.foreign()
		g.spellings()
		g.headers()
		g.queries()
		g.bodies()
		g.escalation()
		g.cursors()
		g.preconditions()
		g.methods()
		g.paths()
		g.garbage()
	}
	g.credentials()
	return g.out
}

// generator makes the attacks on one operation by one attacker.
type generator struct {
	w    *world
	o    *operation
	seed seed
	by   *attacker
	out  []*attack
}

// target is what a request asks about.
type target struct {
	org    *party            // whose organization stands in the path
	slug   bool              // by its slug
	values map[string]string // of the path, but for the organization
	raw    map[string]string // of the path, sent as they are
	body   map[string]any
	header map[string][]string
	query  string
	method string
}

// plain is a valid request of the party about its own.
func (w *world) plain(o *operation, org, own *party) request {
	g := &generator{w: w, o: o, seed: seeded[o.id], by: &attacker{own: own}}
	return g.request(g.at(org, org))
}

// names are the values of the path with the organization.
func (w *world) names(p *party, o *operation) map[string]string {
	all := p.values(o)
	all[orgParameter] = p.ID
	return all
}

// at returns the target that names an organization, and things of a party.
func (g *generator) at(org, things *party) target {
	t := target{org: org, values: things.values(g.o), header: map[string][]string{}, method: g.o.method}
	for name, value := range g.seed.Header {
		t.header[name] = []string{value}
	}
	if g.o.has("header", "If-Match") {
		t.header["If-Match"] = []string{"*"}
	}
	if g.seed.Body != nil {
		t.body = g.seed.Body(g.by.own)
	}
	needed := url.Values{}
	for _, p := range g.o.params {
		if p.In == openapi3.ParameterInQuery && p.Required {
			needed.Set(p.Name, t.values[p.Name])
		}
	}
	t.query = needed.Encode()
	return t
}

// ours is the target of the attacker's own things.
func (g *generator) ours() target { return g.at(g.by.own, g.by.own) }

// with returns the target with a header more.
func (t target) with(header string, values ...string) target {
	t.header = maps.Clone(t.header)
	t.header[header] = values
	return t
}

// request writes the request for a target.
func (g *generator) request(t target) request {
	values := maps.Clone(t.values)
	if t.org != nil {
		values[orgParameter] = t.org.ID
		if t.slug {
			values[orgParameter] = t.org.Slug
		}
	}
	r := request{method: t.method, path: g.o.expand(values, t.raw), query: t.query, header: t.header}
	if t.body != nil {
		r.body = encode(t.body)
	}
	return r
}

// try adds an attack that may succeed, as it is on what is the attacker's own.
// One that would end the attackers' organization is left out.
func (g *generator) try(family string, t target) *attack {
	a := &attack{family: family, op: g.o, by: &g.by.credential, send: g.request(t)}
	if !g.o.public && !g.by.can(g.o) {
		a.refused = permissionDenied
	} else if g.seed.Fatal {
		return a
	}
	g.out = append(g.out, a)
	return a
}

// deny adds an attack that must not succeed, and its twin on what is absent.
func (g *generator) deny(family, rule string, t, twin target) *attack {
	second := g.request(twin)
	a := &attack{family: family, op: g.o, by: &g.by.credential, send: g.request(t), twin: &second, refused: rule}
	g.out = append(g.out, a)
	return a
}

// refuse adds an attack that must not succeed and has no twin.
func (g *generator) refuse(family, rule string, t target) {
	g.out = append(g.out, &attack{family: family, op: g.o, by: &g.by.credential, send: g.request(t), refused: rule})
}

// pairs visits the victim with the party that is absent, and both spellings of
// an organization.
func (g *generator) pairs(visit func(victim, absent *party, slug bool)) {
	visit(g.w.b, g.w.absent, false)
	visit(g.w.b, g.w.absent, true)
	if g.by.own != g.w.system {
		visit(g.w.system, g.w.absent, false)
		visit(g.w.system, g.w.absent, true)
	}
}

// own asks about the attacker's own things: the one way that may succeed.
func (g *generator) own() {
	t := g.ours()
	g.try("own", t)
	if g.o.ofOrg() {
		t.slug = true
		g.try("own", t)
	}
	if run := t.values["run_id"]; run != "" && g.o.has("query", "run_id") {
		t.query = "run_id=" + run
		g.try("own", t)
	}
}

// foreign asks about another's things: with every mixture of whose organization
// and whose things.
func (g *generator) foreign() {
	ours, absent := g.by.own, g.w.absent
	if g.o.ofOrg() {
		g.pairs(func(victim, nobody *party, slug bool) {
			for _, things := range []*party{victim, ours} {
				t, twin := g.at(victim, things), g.at(nobody, things)
				if things == victim {
					twin = g.at(nobody, nobody)
				}
				t.slug, twin.slug = slug, slug
				g.deny("foreign organization", foreignSuccess, t, twin).tells = http.StatusForbidden
			}
		})
	}
	for _, name := range g.o.subs() {
		for _, slug := range []bool{false, true} {
			t, twin := g.ours(), g.ours()
			t.values[name], twin.values[name] = g.w.b.values(g.o)[name], absent.values(g.o)[name]
			t.slug, twin.slug = slug, slug
			g.deny("foreign thing", foreignSuccess, t, twin)
			// And with everything in the headers that might open it.
			for header, values := range g.smuggled(g.w.b) {
				if header != "Authorization" {
					t, twin = t.with(header, values...), twin.with(header, values...)
				}
			}
			g.deny("foreign thing with headers", foreignSuccess, t, twin)
		}
	}
	for _, p := range g.o.params { // what the query names
		theirs, none := g.w.b.For[g.o.id][p.Name], absent.For[g.o.id][p.Name]
		if p.In == openapi3.ParameterInQuery && typedID.MatchString(theirs) {
			t, twin := g.ours(), g.ours()
			t.query, twin.query = withQuery(t.query, p.Name, theirs), withQuery(twin.query, p.Name, none)
			a := g.deny("foreign thing in the query", foreignSuccess, t, twin)
			if g.o.has("query", "cursor") {
				a.refused = "" // a list of one's own that is filtered by it is empty, and no success
			}
		}
	}
	if g.o.has("query", "run_id") {
		t, twin := g.ours(), g.ours()
		t.query, twin.query = "run_id="+g.w.b.values(g.o)["run_id"], "run_id="+absent.values(g.o)["run_id"]
		g.deny("foreign run", foreignSuccess, t, twin)
	}
}

// withQuery sets a parameter of a query.
func withQuery(query, name, value string) string {
	values, _ := url.ParseQuery(query) // which the test has made
	values.Set(name, value)
	return values.Encode()
}

// spelled are other spellings of an organization, as a path segment.
var spelled = map[string]func(own, p *party) string{
	"capitals":          func(_, p *party) string { return strings.ToUpper(p.ID) },
	"capital slug":      func(_, p *party) string { return strings.ToUpper(p.Slug) },
	"escaped":           func(_, p *party) string { return escapeAll(p.Slug) },
	"escaped id":        func(_, p *party) string { return escapeAll(p.ID) },
	"escaped twice":     func(_, p *party) string { return url.PathEscape(escapeAll(p.Slug)) },
	"NUL after":         func(_, p *party) string { return p.Slug + "%00" },
	"slash after":       func(_, p *party) string { return p.Slug + "%2F" },
	"space after":       func(_, p *party) string { return p.Slug + "%20" },
	"space before":      func(_, p *party) string { return "%20" + p.ID },
	"up and down":       func(own, p *party) string { return own.Slug + "%2F..%2F" + p.Slug },
	"up":                func(_, p *party) string { return "..%2F" + p.Slug },
	"up, raw":           func(own, p *party) string { return own.Slug + "/../" + p.Slug },
	"parameter":         func(own, p *party) string { return own.Slug + ";org=" + p.Slug },
	"list":              func(own, p *party) string { return own.ID + "," + p.ID },
	"list, reversed":    func(own, p *party) string { return p.ID + "," + own.ID },
	"UUID":              func(_, p *party) string { return p.UUID },
	"prefixed UUID":     func(_, p *party) string { return "org_" + p.UUID },
	"namespace":         func(_, p *party) string { return p.Namespace },
	"another kind":      func(_, p *party) string { return "usr" + strings.TrimPrefix(p.ID, "org") },
	"no kind":           func(_, p *party) string { return strings.TrimPrefix(p.ID, "org_") },
	"fragment":          func(own, p *party) string { return own.Slug + "%23" + p.Slug },
	"query":             func(own, p *party) string { return own.Slug + "%3Forg=" + p.Slug },
	"injection":         func(_, p *party) string { return p.Slug + "%27%20OR%20%271%27=%271" },
	"wildcard":          func(_, p *party) string { return p.Slug[:len(p.Slug)-1] + "%25" },
	"backslash":         func(own, p *party) string { return own.Slug + "%5C..%5C" + p.Slug },
	"full-width letter": func(_, p *party) string { return "%EF%BD%81" + p.Slug[1:] },
}

func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// spellings names the victim's organization in other ways.
func (g *generator) spellings() {
	if !g.o.ofOrg() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(spelled)) {
		t, twin := g.at(nil, g.w.b), g.at(nil, g.w.absent)
		t.raw = map[string]string{orgParameter: spelled[name](g.by.own, g.w.b)}
		twin.raw = map[string]string{orgParameter: spelled[name](g.by.own, g.w.absent)}
		g.deny("spelling: "+name, foreignSuccess, t, twin)
	}
}

// smuggled are the headers that a careless server might believe.
func (g *generator) smuggled(p *party) map[string][]string {
	user := p.values(g.o)["user"]
	return map[string][]string{
		"X-Org-Id": {p.ID}, "X-Organization": {p.Slug}, "X-Tenant-Id": {p.UUID}, "X-Scope-OrgID": {p.ID},
		"X-Forwarded-User": {user}, "X-User-Id": {user}, "X-Role": {"operator"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Real-IP": {"127.0.0.1"}, "Forwarded": {"for=127.0.0.1;host=" + p.Slug},
		"X-Forwarded-Host": {p.Slug}, "X-Forwarded-Prefix": {"/api/v0/organizations/" + p.ID},
		"X-Original-URL": {"/api/v0/organizations/" + p.ID}, "X-Rewrite-URL": {"/api/v0/organizations/" + p.ID},
		"X-HTTP-Method-Override": {http.MethodDelete}, "Temporal-Namespace": {p.Namespace}, "X-Namespace": {p.Namespace},
		"Cookie": {"org=" + p.ID + "; role=operator"}, "Host": {p.Slug + ".example"}, "X-Request-Id": {"smuggled"},
		"Referer": {"http://" + p.Slug + ".example/"}, "Authorization": {"Bearer " + p.ID}, "X-Api-Key": {p.ID},
		"Proxy-Authorization": {"Bearer " + p.ID},
	}
}

// headers smuggles another organization, or more power, into headers.
func (g *generator) headers() {
	theirs, none := g.smuggled(g.w.b), g.smuggled(g.w.absent)
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if g.o.reads() || g.by.may == authz.Viewer.Permissions() || g.by == g.w.attackers[1] {
			g.try("header "+name, g.ours().with(name, theirs[name]...))
		}
		if g.o.ofOrg() {
			g.deny("header "+name, foreignSuccess,
				g.at(g.w.b, g.w.b).with(name, theirs[name]...), g.at(g.w.absent, g.w.absent).with(name, none[name]...))
		}
	}
}

// queries smuggles the same into the query. What the document does not declare
// is refused, so the twin is refused with the same words.
func (g *generator) queries() {
	smuggled := func(p *party) []string {
		return []string{
			"org=" + p.ID, "org_id=" + p.ID, "organization=" + p.Slug, "organization_id=" + p.ID, "tenant=" + p.Slug,
			"namespace=" + p.Namespace, "user_id=" + p.values(g.o)["user"], "role=operator&org=" + p.ID,
			"as=" + p.Slug, "all=true&org=" + p.ID, "include=" + p.Slug, "filter=org_id%3D" + p.ID, "org=" + p.Slug + "&org=" + p.ID,
			"_method=DELETE&org=" + p.ID, "limit=200&offset=0&org=" + p.ID,
		}
	}
	theirs, none := smuggled(g.w.b), smuggled(g.w.absent)
	for i := range theirs {
		t, twin := g.ours(), g.ours()
		t.query, twin.query = theirs[i], none[i]
		rule := ""
		if !g.by.can(g.o) && !g.o.public {
			rule = permissionDenied
		} else if g.seed.Fatal {
			continue
		}
		g.deny("query", rule, t, twin)
	}
}
