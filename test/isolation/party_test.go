package isolation

import (
	"crypto/rand"
	"maps"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// party is an organization of the test with all that is known of it.
type party struct {
	ID, UUID, Slug, Namespace string

	// Values name what the party has, by path or query parameter; For has those
	// of one operation. Both are filled by the seeds.
	Values map[string]string
	For    map[string]map[string]string

	key     string            // of its admin
	queue   string            // that a worker of its own serves; "" until there is one
	cursors map[string]string // by operation: a cursor that it was given
	etags   map[string]string // by operation: the entity tag of what it is asked about
	idemKey string            // that it has used with every operation that takes one

	secrets []secret
}

// secret is a text that nobody else may see.
type secret struct{ text, what string }

// attacker is somebody with a good key.
type attacker struct {
	credential
	own *party
	may authz.Set

	platform bool     // may know which organizations there are
	reach    []string // the operations that show this one the names of every organization
}

// can tells whether the attacker may do what the operation needs. An operation
// that states no permission may be anybody's.
func (a *attacker) can(o *operation) bool {
	if o.permission == "" {
		return true
	}
	p, err := authz.ParsePermission(o.permission)
	return err != nil || a.may.Has(p)
}

func newParty() *party {
	return &party{
		Values: map[string]string{}, For: map[string]map[string]string{},
		cursors: map[string]string{}, etags: map[string]string{},
	}
}

// word returns a random word and keeps it as the party's secret: a canary.
func (p *party) word(what string) string {
	w := randomWord(12)
	p.keep(what, w)
	return w
}

// keep makes a text the party's secret.
func (p *party) keep(what, text string) { p.secrets = append(p.secrets, secret{text, what}) }

// values returns what names the party's things for an operation.
func (p *party) values(o *operation) map[string]string {
	all := maps.Clone(p.Values)
	maps.Copy(all, p.For[o.id])
	return all
}

// nobody returns a party that does not exist and looks like p: for everything
// that p has, it has something of the same form.
func nobody(p *party) *party {
	n := newParty()
	o := id.New[id.OrgKind]()
	n.ID, n.UUID, n.Slug, n.Namespace = o.String(), o.UUID().String(), randomWord(len(p.Slug)), alike(p.Namespace)
	n.idemKey = alike(p.idemKey)
	for name, v := range p.Values {
		n.Values[name] = alike(v)
	}
	for operation, values := range p.For {
		n.For[operation] = map[string]string{}
		for name, v := range values {
			n.For[operation][name] = alike(v)
		}
	}
	for operation, v := range p.cursors {
		n.cursors[operation] = alike(v)
	}
	for operation, v := range p.etags {
		n.etags[operation] = alike(v)
	}
	return n
}

var typedID = regexp.MustCompile(`^[a-z]+_[0-9a-hjkmnp-tv-z]{26}$`)

// alike returns a random text of the same form.
func alike(s string) string {
	if typedID.MatchString(s) {
		_, tail, _ := strings.Cut(id.New[id.UserKind]().String(), "_")
		head, _, _ := strings.Cut(s, "_")
		return head + "_" + tail
	}
	if uuid.Validate(s) == nil {
		return uuid.NewString()
	}
	fresh := randomWord(len(s))
	return strings.Map(func(r rune) rune {
		c := fresh[0]
		fresh = fresh[1:]
		if (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') {
			return r // what holds the parts together stays
		}
		return rune(c)
	}, s)
}

// randomWord returns n lower-case letters.
func randomWord(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b)
}

// imagined returns a world without a stack, with everything in it that a real
// one has: enough to say which attacks there are.
func imagined() *world {
	w := &world{a: newParty(), b: newParty(), system: newParty()}
	for _, p := range []*party{w.a, w.b, w.system} {
		o := id.New[id.OrgKind]()
		p.ID, p.UUID, p.Slug, p.Namespace, p.idemKey = o.String(), o.UUID().String(), randomWord(12), "org-"+randomWord(12), randomWord(12)
		for _, operation := range contract() {
			p.cursors[operation.id], p.etags[operation.id] = randomWord(43), `"`+randomWord(20)+`"`
			for _, name := range operation.subs() {
				p.Values[name] = id.New[id.UserKind]().String()
			}
		}
		p.Values["run_id"] = uuid.NewString()
	}
	w.absent = nobody(w.b)
	w.admit(func(s sort) string { return "bhk_" + s.name })
	w.refuse(map[string]string{})
	return w
}
