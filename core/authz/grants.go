package authz

import (
	"slices"
	"sync"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Grants notes what an actor asked to be allowed while it did something, and was,
// so that it can be held to the very same again: who is to be told once more what
// came of it must still be somebody who may do it. It is good for use by several
// goroutines. The zero value has noted nothing.
type Grants struct {
	mu    sync.Mutex
	noted []Grant
}

// Grant is one thing that an actor was allowed, in the form in which it is stored:
// the names outlive the numbers of a release. One of Permission, Power and Rank is
// there.
type Grant struct {
	Permission string   `json:"permission,omitempty"`
	Org        id.Org   `json:"org,omitzero"`       // where; zero: on the platform as a whole
	Power      []string `json:"power,omitempty"`    // that it may give away
	Rank       []string `json:"rank,omitempty"`     // of somebody whom it may change
	Platform   bool     `json:"platform,omitempty"` // that power, or rank, reaches beyond an organization
}

// Noted returns what was noted, each once. It is never nil.
func (g *Grants) Noted() []Grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Grant{}, g.noted...)
}

func (g *Grants) note(one Grant) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.ContainsFunc(g.noted, one.equal) {
		g.noted = append(g.noted, one)
	}
}

func (g Grant) equal(o Grant) bool {
	return g.Permission == o.Permission && g.Org == o.Org && g.Platform == o.Platform &&
		slices.Equal(g.Power, o.Power) && slices.Equal(g.Rank, o.Rank)
}

// Noting returns the actor with a place where what it is allowed from now on is
// noted; nil is none.
func (a Actor) Noting(g *Grants) Actor {
	a.grants = g
	return a
}

// RequireAgain fails unless the actor is allowed all that was noted, as Require and
// its like would now. A name that no permission has is allowed to nobody.
func (a Actor) RequireAgain(noted []Grant) error {
	for _, g := range noted {
		if err := a.again(g); err != nil {
			return err
		}
	}
	return nil
}

func (a Actor) again(g Grant) error {
	if g.Permission != "" {
		p, err := ParsePermission(g.Permission)
		switch {
		case err != nil:
			return fault.ErrForbidden
		case g.Org.IsZero():
			return a.RequirePlatform(p)
		}
		return a.Require(p, g.Org)
	}
	power, err := ParseSet(g.Power)
	if err != nil {
		return ErrPowerExceeded
	}
	rank, err := ParseSet(g.Rank)
	if err != nil || !power.Within(a.permissions) || !rank.Within(a.standing()) || (g.Platform && !a.IsPlatform()) {
		return ErrPowerExceeded
	}
	return nil
}
