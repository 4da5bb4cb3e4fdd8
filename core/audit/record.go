package audit

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Record is an entry as it stands in the trail: plain values, by which an entry
// outlives the words of the release that wrote it, and its place in the chain.
type Record struct {
	ID           id.Event
	OrgID        id.Org
	At           time.Time // in UTC, in whole microseconds
	Actor        Actor
	Action       string
	ResourceType string
	ResourceID   string
	Outcome      string
	Changes      json.RawMessage // an object of Changes by field, in canonical form
	Count        int64
	RequestID    string
	SourceIP     netip.Addr

	Seq  int64 // 1, 2, 3 … of the organization; 0 and less: older than the chain
	Hash Hash
}

// Actor is who acted, by value: an operator is a user of another organization,
// and a trail outlives those who left it.
type Actor struct {
	Kind string
	Org  id.Org
	User id.User
	Key  id.APIKey
	Name string
}

// Record returns the entry as it is to be stored, without its place in the chain.
// It is the one way into a trail, so that nothing that looks like a key passes.
func (e Entry) Record() (Record, error) {
	changes := e.Changes
	if changes == nil {
		changes = map[string]Change{}
	}
	encoded, err := json.Marshal(changes)
	if err != nil {
		return Record{}, err
	}
	if encoded, err = Canonical(encoded); err != nil {
		return Record{}, err
	}
	origin := e.Actor.Origin()
	return Record{
		ID: e.ID, OrgID: e.OrgID, At: e.At.UTC().Truncate(time.Microsecond),
		Actor: Actor{
			Kind: e.Actor.Kind().String(), Org: e.Actor.Org(), User: e.Actor.User(), Key: e.Actor.Key(), Name: e.Actor.Name(),
		},
		Action: e.Action.String(), ResourceType: e.ResourceType, ResourceID: clean(e.ResourceID), Outcome: e.Outcome.String(),
		Changes: encoded, Count: max(e.Count, 1), RequestID: clean(origin.RequestID), SourceIP: address(origin.IP),
	}, nil
}

// address is an address without what means something on one host only.
func address(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// Filter chooses entries of a trail; a zero field chooses all.
type Filter struct {
	User         id.User
	Key          id.APIKey
	Action       string
	ResourceType string
	ResourceID   string
	Outcome      string
	From, To     time.Time // from is within, to is not
}

// Validate fails with fault.ErrInvalid for a filter that no entry can ever pass, as
// no entry has that action or is about things of that type: who misspells one is to
// be told, and not that nothing has happened.
func (f Filter) Validate() error {
	var broken []fault.Field
	if f.Action != "" && !actions[f.Action] {
		broken = append(broken, fault.Field{Pointer: "action", Rule: "enum", Detail: "must be an action that entries have, such as user.created"})
	}
	if f.ResourceType != "" && !slices.Contains(resourceTypes, f.ResourceType) {
		broken = append(broken, fault.Field{Pointer: "resource_type", Rule: "enum", Detail: "must be one of: " + strings.Join(resourceTypes, ", ")})
	}
	if broken == nil {
		return nil
	}
	return fault.ErrInvalid.WithFields(broken...)
}

// Canonical returns the canonical form of the filter, which a cursor is bound to.
func (f Filter) Canonical() string {
	b := make([]byte, 0, 64)
	for _, v := range []string{
		f.User.String(), f.Key.String(), f.Action, f.ResourceType, f.ResourceID, f.Outcome, moment(f.From), moment(f.To),
	} {
		b = field(b, v)
	}
	return string(b)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// keyPrefix is what every API key begins with: core/apikey.Prefix, which this
// package can not know; a test compares them.
const keyPrefix = "bhk_"

const redacted = "[redacted]"

// clean makes a text one that can be stored, and blots out what may be a key.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if strings.Contains(strings.ToLower(s), keyPrefix) {
		return redacted
	}
	return s
}
