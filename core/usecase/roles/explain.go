package roles

import (
	"context"
	"errors"
	"net/netip"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// Question asks whether somebody may do something.
type Question struct {
	Actor    string // the id of a user or of an API key; "": whoever asks
	Action   authz.Permission
	Resource id.Org // zero: the platform
	// IP is the address that a key is used from. When it is invalid, that of the
	// request is taken for the key that asks, and none for another.
	IP netip.Addr
}

// Explanation is the answer, with all that it follows from.
type Explanation struct {
	authz.Decision
	Reason   string
	Role     authz.Role
	Scopes   authz.Set // zero: all that the role allows
	States   States
	Temporal string // the permission in a data-plane token, if one can be had now; "": it becomes none
}

// States are the states of what the actor depends on, and of what they act on.
type States struct {
	Key          apikey.State // zero: the actor is a user
	User         user.State   // zero: the key is the organization's own
	Organization org.State    // the actor's
	Resource     org.State    // zero: the platform
}

// Explain tells whether somebody may do something and what decides it, by the very
// decisions that requests are met with. To ask about another takes a permission,
// about oneself none. The actor is of the organization that is the resource, or of
// one's own. It fails with fault.ErrNotFound, fault.ErrForbidden and, for an actor
// that is no identifier, fault.ErrInvalid.
func (s *Service) Explain(ctx context.Context, by authz.Actor, q Question) (Explanation, error) {
	home := q.Resource
	if home.IsZero() {
		home = by.Org()
	}
	if err := by.Require(authz.AuthzExplain, home); err != nil && (!errors.Is(err, fault.ErrForbidden) || !q.isAbout(by)) {
		return Explanation{}, err
	}
	if q.Actor == "" {
		q.Actor = by.Key().String()
	}
	c, states, err := s.credential(ctx, home, q.Actor)
	if fault.IsKind(err, fault.NotFound) && home != by.Org() {
		c, states, err = s.credential(ctx, by.Org(), q.Actor)
	}
	if err != nil {
		return Explanation{}, err
	}
	if !q.IP.IsValid() && c.Key == by.Key() {
		q.IP = by.Origin().IP
	}
	e := decide(c, apikey.Judge(c, apikey.Presented{Now: s.clock.Now(), IP: q.IP}), q)
	e.States = states
	if err := s.hold(ctx, c, &e); err != nil {
		return Explanation{}, err
	}
	if q.Resource.IsZero() {
		return e, nil
	}
	o, err := s.store.Reads(q.Resource).Org(ctx)
	if err != nil {
		return Explanation{}, err
	}
	e.States.Resource = o.State()
	if e.Err == nil && org.HeldToAllowList(q.Action) && o.Snapshot().Settings.AllowList.Binds(e.Role.String()) {
		e.Reason += heldToAllowList
	}
	if e.Err == nil && o.RequireActive() == nil {
		e.Temporal = temporal(q.Action, o.Namespace())
	}
	return e, nil
}

// heldToAllowList stands in the reason then.
const heldToAllowList = " The organization's allow-list decides of which workflows, and may refuse the one that is meant."

// hold says what a request that is allowed would be met with now: a limit decides
// only where nothing that lasts does.
func (s *Service) hold(ctx context.Context, c apikey.Credential, e *Explanation) error {
	if e.Err != nil {
		return nil //nolint:nilerr // it is what the question is answered with
	}
	var check limit.Check
	if err := s.limiter.Take(ctx, limit.Requests, c.Holder(), 0, &check); err != nil {
		return err
	}
	if tier, usedUp := check.UsedUp(); usedUp {
		e.Decision = authz.Decision{Ground: authz.ByLimit, Err: limit.ErrRateExceeded}
		e.Reason = usedUpBy[tier]
	}
	return nil
}

// usedUpBy says whose limit of requests is used up.
var usedUpBy = map[limit.Tier]string{
	limit.OfOrganization: "It is allowed, and the organization has no request left for now.",
	limit.OfKey:          "It is allowed, and the API key has no request left for now.",
}

// isAbout tells whether the question is about whoever asks it.
func (q Question) isAbout(by authz.Actor) bool {
	return q.Actor == "" || q.Actor == by.Key().String() || q.Actor == by.User().String()
}

// credential returns a key as authentication sees it, or a user as if they had one
// without scopes.
func (s *Service) credential(ctx context.Context, o id.Org, ref string) (apikey.Credential, States, error) {
	reads := s.store.Reads(o)
	c, states := apikey.Credential{Org: o, State: apikey.Active, UserOK: true}, States{}
	if u, err := id.Parse[id.UserKind](ref); err == nil {
		c.User = u
	} else {
		k, err := id.Parse[id.APIKeyKind](ref)
		if err != nil {
			return c, states, fault.InvalidField("actor", "format", "must be the id of a user or of an API key")
		}
		key, err := reads.APIKey(ctx, k)
		if err != nil {
			return c, states, err
		}
		r := key.Snapshot()
		c.Key, c.User, c.Scopes, c.State, c.ExpiresAt, c.AllowedIPs = r.ID, r.UserID, r.Scopes, r.State, r.ExpiresAt, r.AllowedIPs
		c.KeyLimits, states.Key = r.Limits, r.State
	}
	if !c.User.IsZero() {
		u, err := reads.User(ctx, c.User)
		if err != nil {
			return c, states, err
		}
		states.User = u.Snapshot().State
		c.UserRole, c.UserOK = u.Role(), states.User == user.Active
	}
	row, err := reads.Org(ctx)
	if err != nil {
		return c, states, err
	}
	states.Organization = row.State()
	c.OrgActive, c.OrgLimits = states.Organization.KeysWork(), row.Snapshot().Limits
	return c, states, nil
}

// decide decides as a request would be: first whether there is an actor, and then
// what they may do. What belongs to the platform takes an operator wherever it is
// done.
func decide(c apikey.Credential, verdict apikey.Code, q Question) Explanation {
	actor := c.Actor()
	e := Explanation{Role: actor.Role(), Scopes: c.Scopes}
	if verdict != apikey.Valid {
		e.Decision = authz.Decision{Ground: authz.ByState, Err: fault.ErrUnauthenticated}
		if verdict == apikey.IPNotAllowed {
			e.Ground = authz.ByAddress
		}
		e.Reason = unusable[verdict]
		return e
	}
	if q.Resource.IsZero() {
		e.Decision = actor.DecidePlatform(q.Action)
	} else {
		e.Decision = actor.Decide(q.Action, q.Resource)
		if q.Action.IsPlatform() && e.Ground != authz.ByOrganization {
			e.Decision = actor.DecidePlatform(q.Action)
		}
	}
	e.Reason = reason(e.Decision, e.Role)
	return e
}

// unusable says why a key, or its user, acts not at all.
var unusable = map[apikey.Code]string{
	apikey.IsRevoked:             "The API key is revoked.",
	apikey.Expired:               "The API key has expired.",
	apikey.IsDisabled:            "The API key is disabled.",
	apikey.OrganizationSuspended: "The actor's organization is suspended or deleted.",
	apikey.UserSuspended:         "The user is suspended or removed.",
	apikey.IPNotAllowed:          "The API key is bound to addresses, and this is none of them.",
}

func reason(d authz.Decision, r authz.Role) string {
	may := d.Err == nil
	switch {
	case d.Ground == authz.ByOrganization:
		return "The actor is of another organization."
	case d.Ground == authz.ByPlatform:
		return "It reaches beyond an organization, which operators alone do."
	case d.Ground == authz.ByScope && may:
		return "The role " + r.String() + " and the key's scopes allow it."
	case d.Ground == authz.ByScope:
		return "The role " + r.String() + " allows it, and the key's scopes do not."
	case may:
		return "The role " + r.String() + " allows it."
	}
	return "The role " + r.String() + " does not allow it."
}

// temporal returns what a permission becomes in a token for the namespace.
func temporal(p authz.Permission, namespace string) string {
	access, err := signing.ParseAccess(p.Temporal())
	if p.Temporal() == "" || err != nil {
		return ""
	}
	return namespace + ":" + access.String()
}
