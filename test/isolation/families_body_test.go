package isolation

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/core/authz"
)

// bodies puts another's ids where the body names something, and sets what the
// operation does not let one set.
func (g *generator) bodies() {
	if g.seed.Body == nil {
		t := g.ours()
		t.body = map[string]any{"org_id": g.w.b.ID}
		if g.o.body == nil && g.o.method != http.MethodGet {
			g.refuse("unexpected body", massAssignment, t)
		}
		return
	}
	if theirs := g.seed.Body(g.w.b); g.names(theirs, g.w.b) {
		t, twin := g.ours(), g.ours()
		t.body, twin.body = theirs, g.seed.Body(g.w.absent)
		g.deny("foreign id in the body", foreignSuccess, t, twin)
	}
	for _, property := range properties() {
		if g.o.declares(property) {
			continue
		}
		t := g.ours()
		t.body = maps.Clone(t.body)
		t.body[property] = g.assigned(property, g.w.b)
		g.refuse("mass assignment", massAssignment, t)
		if g.o.ofOrg() && g.by == g.w.attackers[1] {
			t, twin := g.at(g.w.b, g.w.b), g.at(g.w.absent, g.w.absent)
			t.body, twin.body = maps.Clone(t.body), maps.Clone(twin.body)
			t.body[property], twin.body[property] = g.assigned(property, g.w.b), g.assigned(property, g.w.absent)
			g.deny("mass assignment", foreignSuccess, t, twin)
		}
	}
}

// names tells whether a body holds an id of the party.
func (*generator) names(body map[string]any, p *party) bool {
	known := map[string]bool{p.ID: true, p.Slug: true, p.UUID: true, p.Namespace: true}
	for _, v := range p.Values {
		known[v] = true
	}
	for _, values := range p.For {
		for _, v := range values {
			known[v] = true
		}
	}
	raw, found := map[string]any{}, false
	if err := json.Unmarshal([]byte(encode(body)), &raw); err != nil {
		panic(err)
	}
	leaves(raw, func(s string) { found = found || known[s] })
	return found
}

// assigned is what an attacker would set a property to.
func (g *generator) assigned(property string, p *party) any {
	if v, ok := p.values(g.o)[strings.TrimSuffix(property, "_id")]; ok {
		return v
	}
	switch property {
	case "org_id", "orgId", "organization_id", "organization", "tenant_id", "owner_id", "id", "created_by":
		return p.ID
	case "org", "tenant", "slug":
		return p.Slug
	case "role", "Role", "ROLE":
		return "operator"
	case "namespace":
		return p.Namespace
	case "is_admin", "platform":
		return true
	case "version":
		return 1
	case "scopes", "permissions":
		return []string{"organizations:create"}
	case "state":
		return "active"
	}
	return p.Slug
}

// escalation asks for every role and for every permission that the attacker has
// not, where a body may name one.
func (g *generator) escalation() {
	if g.seed.Body == nil {
		return
	}
	set := func(family string, allowed bool, change map[string]any) {
		t := g.ours()
		t.body = maps.Clone(t.body)
		maps.Copy(t.body, change)
		if allowed {
			g.try(family, t)
		} else {
			g.refuse(family, powerExceeded, t)
		}
	}
	if g.o.declares("role") {
		for _, r := range authz.Roles() {
			allowed := r != authz.Operator && r.Permissions().Within(g.by.may)
			if allowed && len(g.o.subs()) > 0 && !r.Permissions().Within(authz.Manager.Permissions()) {
				continue // raised so far by those who may, a user is out of reach of those who may not
			}
			set("escalation to "+r.String(), allowed, map[string]any{"role": r.String()})
		}
	}
	if g.o.declares("scopes") {
		for _, name := range authz.Operator.Permissions().Names() {
			p, err := authz.ParsePermission(name)
			if err != nil {
				panic(err) // it is a name of the catalogue
			}
			set("escalation to "+name, g.by.may.Has(p), map[string]any{"scopes": []string{name}})
		}
	}
}

// What an answer gave to another, and is brought back to the very operation that
// gave it: if it is believed, it is by whoever may use the operation.
const (
	foreignCursor = "foreign cursor"
	foreignTag    = "foreign tag in "
)

// cursors takes a cursor to where it was not given.
func (g *generator) cursors() {
	if !g.o.has("query", "cursor") {
		return
	}
	ask := func(org, things *party, cursor string) target {
		t := g.at(org, things)
		t.query = "cursor=" + cursor
		return t
	}
	ours, theirs, none := g.by.own, g.w.b, g.w.absent
	for _, operation := range slices.Sorted(maps.Keys(theirs.cursors)) {
		cursor := theirs.cursors[operation]
		if cursor == "" {
			continue
		}
		family := foreignCursor
		if operation != g.o.id {
			family += " of another list"
		}
		g.deny(family, foreignSuccess, ask(ours, ours, cursor), ask(ours, ours, none.cursors[operation]))
		if g.o.ofOrg() {
			g.deny(family, foreignSuccess, ask(theirs, theirs, cursor), ask(none, none, cursor))
		}
		// The attacker's own cursor, changed in one character.
		if own := ours.cursors[operation]; len(own) > 1 {
			changed := "A" + own[1:]
			if own[0] == 'A' {
				changed = "B" + own[1:]
			}
			g.refuse("forged cursor", foreignSuccess, ask(ours, ours, changed))
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(ours.cursors)) {
		if cursor := ours.cursors[operation]; operation != g.o.id && cursor != "" {
			g.refuse("cursor of another list", foreignSuccess, ask(ours, ours, cursor))
		}
	}
	if g.o.ofOrg() {
		if own := ours.cursors[g.o.id]; own != "" {
			g.deny("own cursor", foreignSuccess, ask(theirs, theirs, own), ask(none, none, own))
		}
	}
}

// preconditions takes entity tags and idempotency keys to where they do not
// belong.
func (g *generator) preconditions() {
	theirs, none := g.w.b, g.w.absent
	for _, header := range []string{"If-Match", "If-None-Match"} {
		if !g.o.has("header", header) {
			continue
		}
		for _, operation := range slices.Sorted(maps.Keys(theirs.etags)) {
			tag := theirs.etags[operation]
			if tag == "" {
				continue
			}
			family := foreignTag + header
			if operation != g.o.id {
				family += " of another operation"
			}
			if header == "If-None-Match" { // it may be answered, but not with "you have that already"
				if a := g.try(family, g.ours().with(header, tag)); a.refused == "" {
					a.tells = http.StatusNotModified
				}
			} else {
				g.deny(family, foreignSuccess, g.ours().with(header, tag), g.ours().with(header, none.etags[operation]))
			}
			if g.o.ofOrg() {
				g.deny(family, foreignSuccess, g.at(theirs, theirs).with(header, tag), g.at(none, none).with(header, tag))
				g.deny(family, foreignSuccess, g.at(theirs, theirs).with(header, tag), g.at(none, none).with(header, none.etags[operation]))
			}
		}
		if g.o.ofOrg() {
			g.deny("forged "+header, foreignSuccess, g.at(theirs, theirs).with(header, `"1"`), g.at(none, none).with(header, `"1"`))
		}
	}
	if g.o.ofOrg() && g.o.has("header", "If-Match") {
		t, twin := g.at(theirs, theirs), g.at(none, none)
		delete(t.header, "If-Match")
		delete(twin.header, "If-Match")
		g.deny("no If-Match", foreignSuccess, t, twin)
	}
	if g.o.has("header", "Idempotency-Key") {
		g.try("foreign Idempotency-Key", g.ours().with("Idempotency-Key", theirs.idemKey))
		if g.seed.Body != nil { // the very request that the victim sent, but for the organization
			t := g.ours().with("Idempotency-Key", theirs.idemKey)
			t.body = g.seed.Body(theirs)
			if !g.names(t.body, theirs) {
				g.try("foreign Idempotency-Key", t)
			} else {
				g.refuse("foreign Idempotency-Key", foreignSuccess, t)
			}
		}
		if g.o.ofOrg() {
			g.deny("foreign Idempotency-Key", foreignSuccess,
				g.at(theirs, theirs).with("Idempotency-Key", theirs.idemKey), g.at(none, none).with("Idempotency-Key", theirs.idemKey))
		}
	}
}

// verbs are the methods that are tried on every path.
var verbs = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace, "PROPFIND", "get",
}

// methods sends the methods that the path does not have.
func (g *generator) methods() {
	for _, verb := range verbs {
		switch {
		case slices.Contains(g.o.siblings, verb):
			continue
		case verb == http.MethodOptions:
			g.options()
			continue
		case verb == http.MethodHead && slices.Contains(g.o.siblings, http.MethodGet):
			if g.o.method == http.MethodGet {
				g.head()
			}
			continue
		}
		own := g.ours()
		own.method, own.body = verb, nil
		g.refuse("method "+verb, foreignSuccess, own)
		if g.o.ofOrg() {
			t, twin := g.at(g.w.b, g.w.b), g.at(g.w.absent, g.w.absent)
			t.method, twin.method = verb, verb
			t.body, twin.body = nil, nil
			g.deny("method "+verb, foreignSuccess, t, twin)
		}
	}
}

// head asks as GET does, and must be told as little.
func (g *generator) head() {
	own := g.ours()
	own.method = http.MethodHead
	g.try("method HEAD", own)
	if !g.o.ofOrg() {
		return
	}
	g.pairs(func(victim, nobody *party, slug bool) {
		t, twin := g.at(victim, victim), g.at(nobody, nobody)
		t.method, twin.method = http.MethodHead, http.MethodHead
		t.slug, twin.slug = slug, slug
		g.deny("method HEAD", foreignSuccess, t, twin).tells = http.StatusForbidden
	})
}

// options asks for the methods, which anybody may know: of what is foreign as of
// what is absent, to the byte.
func (g *generator) options() {
	if !g.o.ofOrg() {
		return
	}
	t, twin := g.at(g.w.b, g.w.b), g.at(g.w.absent, g.w.absent)
	t.method, twin.method = http.MethodOptions, http.MethodOptions
	t.body, twin.body = nil, nil
	a := g.deny("method OPTIONS", "", t, twin)
	a.same = true
}

// bent are other ways to write a path.
var bent = map[string]func(string) string{
	"slash after":     func(p string) string { return p + "/" },
	"double slash":    func(p string) string { return strings.Replace(p, "/", "//", 2)[1:] },
	"dot":             func(p string) string { return strings.Replace(p, "/api", "/./api", 1) + "/." },
	"up":              func(p string) string { return p + "/x/.." },
	"up, escaped":     func(p string) string { return p + "/x/%2e%2e" },
	"capitals":        strings.ToUpper,
	"escaped slash":   func(p string) string { return p[:1] + strings.ReplaceAll(p[1:], "/", "%2F") },
	"parameter":       func(p string) string { return p + ";a=b" },
	"suffix":          func(p string) string { return p + ".json" },
	"another version": func(p string) string { return strings.Replace(p, "/v0/", "/v1/", 1) + "/../" },
	"backslash":       func(p string) string { return p[:1] + strings.ReplaceAll(p[1:], "/", "%5C") },
	"NUL":             func(p string) string { return p + "%00" },
}

// paths writes the path in other ways.
func (g *generator) paths() {
	for _, name := range slices.Sorted(maps.Keys(bent)) {
		t, twin := g.at(g.w.b, g.w.b), g.at(g.w.absent, g.w.absent)
		if !g.o.ofOrg() && len(g.o.subs()) == 0 {
			r := g.request(g.ours())
			r.path = bent[name](r.path)
			g.out = append(g.out, &attack{family: "path: " + name, op: g.o, by: &g.by.credential, send: r})
			continue
		}
		r, second := g.request(t), g.request(twin)
		r.path, second.path = bent[name](r.path), bent[name](second.path)
		g.out = append(g.out, &attack{
			family: "path: " + name, op: g.o, by: &g.by.credential, send: r, twin: &second, refused: foreignSuccess,
		})
	}
}

// nasty are texts that break what is careless.
var nasty = []string{
	"'", "' OR '1'='1", "1; DROP TABLE users--", "%00", "\\u0000", "..", "../..", "*", "%", "_", "null", "-1", "0",
	"99999999999999999999", "{{7*7}}", "${7*7}", "\u202e", "\xff", "a\nb", strings.Repeat("a", 300),
}

// garbage sends what no client would. It must be refused as the client's fault.
func (g *generator) garbage() {
	for _, name := range g.o.subs() {
		for _, text := range nasty {
			t := g.ours()
			t.values = maps.Clone(t.values)
			t.values[name] = text
			g.refuse("garbage", foreignSuccess, t)
		}
	}
	for _, p := range g.o.params {
		if p.In == "query" {
			for _, text := range nasty {
				t := g.ours()
				t.query = p.Name + "=" + escapeAll(text)
				g.try("garbage", t)
			}
		}
	}
	if g.seed.Body == nil {
		return
	}
	valid := encode(g.ours().body)
	for _, body := range []string{
		"", "{", "[]", "null", `"text"`, "{}", valid + valid, "[" + valid + "]", strings.Replace(valid, `":"`, `":"\u0000`, 1),
		strings.Replace(valid, `":"`, `":"\ud800`, 1), strings.Replace(valid, `":"`, "\":\"\xff", 1),
		`{"org_id":"` + g.w.b.ID + `",` + valid[1:], strings.Repeat("[", 100) + strings.Repeat("]", 100),
		`{"a":1e999999}`, `{"` + strings.Repeat("a", 3000) + `":1}`,
	} {
		a := &attack{family: "garbage", op: g.o, by: &g.by.credential, send: g.request(g.ours())}
		a.send.body = body
		nothing := body == "{}" || body == "" && g.o.bodyOptional // which is the same
		switch {
		case body == valid, nothing && g.seed.Fatal:
			continue
		case !nothing: // which may be a request of its own, with a permission of its own
			a.refused = massAssignment
		}
		g.out = append(g.out, a)
	}
	for _, media := range []string{"application/xml", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=utf-16", ""} {
		g.refuse("media type", massAssignment, g.ours().with("Content-Type", media))
	}
}

// credentials sends the operation with each credential that must be refused, on
// the attackers' own, the victim's and an absent organization.
func (g *generator) credentials() {
	g.by = g.w.attackers[1]
	for _, by := range g.w.refused {
		for _, p := range []*party{g.w.a, g.w.b, g.w.absent} {
			for _, slug := range []bool{false, true} {
				t := g.at(p, p)
				t.slug = slug
				a := &attack{family: "credential", op: g.o, by: by, send: g.request(t)}
				if !g.o.public {
					a.refused, a.unauthenticated = foreignSuccess, true
				}
				g.out = append(g.out, a)
			}
		}
	}
}
