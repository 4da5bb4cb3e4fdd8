package usecase_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/signing"
)

// who is what a trail says of an actor.
type who struct {
	Kind      string
	Org       id.Org
	User      id.User
	Key       id.APIKey
	Name      string
	RequestID string
	IP        netip.Addr
}

func whoIs(a authz.Actor) who {
	return who{a.Kind().String(), a.Org(), a.User(), a.Key(), a.Name(), a.Origin().RequestID, a.Origin().IP}
}

// line is a line of an audit trail.
type line struct {
	Org          id.Org // whose trail
	At           time.Time
	Actor        who
	Action       string
	ResourceType string
	ResourceID   string
	Outcome      string
	Changes      map[string]audit.Change
}

// trail returns what stands in all organizations' trails, in its order.
func (w *world) trail() []line {
	w.t.Helper()
	return selected(w, func(row pgx.CollectableRow) (line, error) {
		var l line
		var of uuid.UUID
		var home, holder, key uuid.NullUUID
		var ip *netip.Addr
		err := row.Scan(&of, &l.At, &l.Actor.Kind, &home, &holder, &key, &l.Actor.Name, &l.Actor.RequestID, &ip,
			&l.Action, &l.ResourceType, &l.ResourceID, &l.Outcome, &l.Changes)
		l.Org, l.At = id.FromUUID[id.OrgKind](of), l.At.UTC()
		l.Actor.Org, l.Actor.User, l.Actor.Key = id.FromUUID[id.OrgKind](home.UUID), id.FromUUID[id.UserKind](holder.UUID), id.FromUUID[id.APIKeyKind](key.UUID)
		if ip != nil {
			l.Actor.IP = *ip
		}
		return l, err
	}, `SELECT org_id, at, actor_kind, actor_org_id, actor_user_id, actor_key_id, actor_name, request_id, source_ip,
		action, resource_type, resource_id, outcome, changes FROM audit_events ORDER BY id`)
}

// waiting is how a message stands in the outbox.
type waiting struct {
	Due      time.Time
	Attempts int
	Reason   string
}

func (w *world) message(m id.Message) waiting {
	w.t.Helper()
	found := selected(w, pgx.RowToStructByPos[waiting],
		`SELECT available_at, attempts, last_error FROM outbox WHERE id = $1`, m.UUID())
	if len(found) != 1 {
		w.t.Fatalf("%d messages have the id %s", len(found), m)
	}
	found[0].Due = found[0].Due.UTC()
	return found[0]
}

// said is what a token says.
type said struct {
	KeyID       string   `json:"-"`
	Subject     string   `json:"sub"`
	Permissions []string `json:"permissions"`
	IssuedAt    int64    `json:"iat"`
	ExpiresAt   int64    `json:"exp"`
}

// said verifies a token as Temporal's frontend does, against the keys that are
// published now.
func (w *world) said(jwt string) said {
	w.t.Helper()
	keys, err := w.unseen.keys.List(w.t.Context())
	must(w.t, err)
	document, err := w.unseen.crypto.KeySet(keys)
	must(w.t, err)
	return verify(w.t, jwt, document)
}

func verify(t *testing.T, jwt string, document []byte) said {
	t.Helper()
	token, err := jose.ParseSigned(jwt, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	found := keySet(t, document).Key(token.Signatures[0].Header.KeyID)
	if len(found) != 1 {
		t.Fatalf("%d published keys have the id of the token's", len(found))
	}
	payload, err := token.Verify(found[0])
	must(t, err)
	s := said{KeyID: found[0].KeyID}
	must(t, json.Unmarshal(payload, &s))
	return s
}

func keySet(t *testing.T, document []byte) *jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	must(t, json.Unmarshal(document, &set))
	return &set
}

// published returns the identifiers of the keys of a document, in its order.
func published(t *testing.T, document []byte) []string {
	t.Helper()
	var ids []string
	for _, k := range keySet(t, document).Keys {
		ids = append(ids, k.KeyID)
	}
	return ids
}

func saying(kid string, c signing.Claims) said {
	return said{kid, c.Subject, []string{c.Permission}, c.IssuedAt.Unix(), c.ExpiresAt.Unix()}
}

// holder returns the actor behind a user's key; no scopes are all of the role's.
func holder(o id.Org, r authz.Role, scopes ...authz.Permission) authz.Actor {
	return authz.NewKeyActor(authz.KeyHolder{
		Org: o, OrgSlug: "own", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: r, Scopes: authz.SetOf(scopes...),
	}).From(authz.Origin{RequestID: "req-1", IP: netip.MustParseAddr("192.0.2.1")})
}

func operator() authz.Actor { return holder(id.SystemOrg, authz.Operator) }
