package isolation

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
)

// sort is a sort of attacker: the role of the user whose key it is, and the
// scopes of the key.
type sort struct {
	name   string
	role   authz.Role // zero: the key is the organization's own
	scopes authz.Set  // zero: all that the role allows
	system bool       // of the system organization, and still not its operator
	worker bool       // the platform's key for workers
}

var sorts = []sort{
	{name: "a tampered operator", role: authz.Operator},
	{name: "an admin", role: authz.Admin},
	{name: "a manager", role: authz.Manager},
	{name: "a member", role: authz.Member},
	{name: "a viewer", role: authz.Viewer},
	{name: "the organization's key", scopes: authz.Admin.Permissions()},
	{name: "a key that reads users", role: authz.Admin, scopes: authz.SetOf(authz.UsersRead)},
	{name: "a key that writes", role: authz.Admin, scopes: authz.SetOf(
		authz.UsersCreate, authz.APIKeysCreate, authz.APIKeysRevoke, authz.WorkflowsStart, authz.TokensWrite)},
	{name: "a viewer of the system", role: authz.Viewer, system: true},
	{name: "an admin of the system", role: authz.Admin, system: true},
	{name: "the workers", scopes: authz.SetOf(authz.AssignmentsRead, authz.TokensWrite), system: true, worker: true},
}

// bearer is an Authorization header.
func bearer(key string) []string { return []string{"Bearer " + key} }

// admit makes the attackers. key returns the key of each sort.
func (w *world) admit(key func(sort) string) {
	for _, s := range sorts {
		a := &attacker{own: w.a, may: authz.Effective(s.role, s.scopes)}
		if s.role.IsZero() {
			a.may = s.scopes
		}
		if s.system {
			a.own = w.system
		}
		if s.worker {
			a.platform, a.reach = true, []string{"listAssignments", "listWorkerPools", "createToken"}
		}
		a.credential = credential{name: s.name, header: bearer(key(s)), attacker: a}
		w.attackers = append(w.attackers, a)
	}
}

// refuse makes the credentials that must all be refused alike. ended holds good
// keys that are good no more, by what ended them.
func (w *world) refuse(ended map[string]string) {
	good := strings.TrimPrefix(w.attackers[1].header[0], "Bearer ")
	last := "0"
	if strings.HasSuffix(good, last) {
		last = "1"
	}
	unknown, err := apikey.NewSecret(rand.Reader)
	if err != nil {
		panic(err)
	}
	for name, header := range map[string][]string{
		"nobody":                   nil,
		"an empty header":          {""},
		"a scheme alone":           {"Bearer"},
		"an empty key":             {"Bearer "},
		"a word":                   {"Bearer garbage"},
		"a long word":              {"Bearer " + strings.Repeat("x", 4000)},
		"a key of another scheme":  {"Basic " + base64.StdEncoding.EncodeToString([]byte(good+":"))},
		"a key without a scheme":   {good},
		"a key with a space":       {"Bearer  " + good},
		"a wrong checksum":         {"Bearer " + good[:len(good)-1] + last},
		"a cut key":                {"Bearer " + good[:len(good)-1]},
		"a key and more":           {"Bearer " + good + "0"},
		"a key in capitals":        {"Bearer " + strings.ToUpper(good)},
		"an unknown key":           {"Bearer " + unknown.Reveal()},
		"an injection":             {"Bearer ' OR 1=1 --"},
		"two keys in one header":   {"Bearer " + good + ", Bearer " + good},
		"a key in the wrong place": {"Bearer x " + good},
	} {
		w.refused = append(w.refused, &credential{name: name, header: header})
	}
	for _, parameter := range []string{"access_token", "api_key", "key", "token", "authorization"} {
		w.refused = append(w.refused, &credential{name: "a key as parameter " + parameter, query: parameter + "=" + good})
	}
	for _, why := range endings {
		w.refused = append(w.refused, &credential{name: why, header: bearer(ended[why])})
	}
}

// The ways in which a good key ends.
const (
	expired      = "an expired key"
	revoked      = "a revoked key"
	disabled     = "a disabled key"
	suspended    = "a key of a suspended user"
	removed      = "a key of a removed user"
	orgSuspended = "a key of a suspended organization"
	orgDeleted   = "a key of a deleted organization"
	dataPlane    = "a data-plane token"
)

var endings = []string{expired, revoked, disabled, suspended, removed, orgSuspended, orgDeleted, dataPlane}
