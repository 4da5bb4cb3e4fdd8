package auth

import (
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// flat is a credential as it is kept: without a pointer, so that the collector has
// nothing to look at however many there are. What its key has in common with others
// stands in the tables, by number. flatten and credential are the one place that
// knows both forms.
type flat struct {
	key        id.APIKey
	user       id.User
	hash       apikey.Hash
	scopes     authz.Set
	expires    int64 // in microseconds
	oldExpires int64
	org        uint32
	role       uint32
	addresses  uint32
	limits     uint32
	generation int32
	version    int16 // of the hash's pepper
	state      uint8
	flags      uint8
}

const (
	userOK uint8 = 1 << iota
	isOld
	isRotated
	untilSeen
)

// never is the time that is none.
const never = math.MinInt64

var states = [...]apikey.State{{}, apikey.Active, apikey.Disabled, apikey.Revoked}

// common is the tables.
type common struct {
	orgs      *table[id.Org, orgFacts]
	roles     *table[authz.Role, authz.Role]
	addresses *table[string, apikey.IPList]
	limits    *table[string, limit.Set]
}

// orgFacts is what a credential says of its organization.
type orgFacts struct {
	id     id.Org
	slug   string
	active bool
	limits limit.Set
}

func newCommon() common {
	return common{
		orgs: newTable[id.Org](func(a, b orgFacts) bool {
			return a.slug == b.slug && a.active == b.active && maps.Equal(a.limits, b.limits)
		}),
		roles:     newTable[authz.Role](func(a, b authz.Role) bool { return a == b }),
		addresses: newTable[string](func(apikey.IPList, apikey.IPList) bool { return true }), // the key says it all
		limits:    newTable[string](func(limit.Set, limit.Set) bool { return true }),
	}
}

// flatten takes a reference to each value that it puts into the tables, which
// release gives back.
func (t common) flatten(c apikey.Credential) flat {
	f := flat{
		key: c.Key, user: c.User, hash: c.Hash.Hash, version: c.Hash.Version, scopes: c.Scopes, generation: c.Generation,
		expires: micros(c.ExpiresAt), oldExpires: micros(c.OldExpiresAt),
		flags: flag(c.UserOK, userOK) | flag(c.Old, isOld) | flag(c.Rotated, isRotated) | flag(c.OldUntilSeen, untilSeen),
		org:   t.orgs.hold(c.Org, orgFacts{id: c.Org, slug: c.OrgSlug, active: c.OrgActive, limits: c.OrgLimits}),
	}
	for i, s := range states {
		if s == c.State {
			f.state = uint8(i)
		}
	}
	if !c.UserRole.IsZero() {
		f.role = t.roles.hold(c.UserRole, c.UserRole)
	}
	if len(c.AllowedIPs) > 0 {
		f.addresses = t.addresses.hold(c.AllowedIPs.String(), c.AllowedIPs)
	}
	if len(c.KeyLimits) > 0 {
		f.limits = t.limits.hold(fmt.Sprint(c.KeyLimits), c.KeyLimits) // in the order of their names
	}
	return f
}

func (t common) release(f *flat) {
	t.orgs.drop(f.org)
	t.roles.drop(f.role)
	t.addresses.drop(f.addresses)
	t.limits.drop(f.limits)
}

// credential is not ok when its organization has changed since.
func (t common) credential(f *flat) (c apikey.Credential, ok bool) {
	org := t.orgs.at(f.org)
	if org.dead.Load() {
		return apikey.Credential{}, false
	}
	return apikey.Credential{
		Key: f.key, Org: org.value.id, OrgSlug: org.value.slug, OrgActive: org.value.active, OrgLimits: org.value.limits,
		User: f.user, UserRole: t.roles.at(f.role).value, UserOK: f.flags&userOK != 0,
		Scopes: f.scopes, Hash: apikey.Versioned{Version: f.version, Hash: f.hash}, State: states[f.state], ExpiresAt: timeOf(f.expires),
		AllowedIPs: t.addresses.at(f.addresses).value, KeyLimits: t.limits.at(f.limits).value, Generation: f.generation,
		Old: f.flags&isOld != 0, Rotated: f.flags&isRotated != 0, OldExpiresAt: timeOf(f.oldExpires), OldUntilSeen: f.flags&untilSeen != 0,
	}, true
}

func flag(set bool, bit uint8) uint8 {
	if set {
		return bit
	}
	return 0
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixMicro()
}

func timeOf(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
