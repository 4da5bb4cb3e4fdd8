// Package assignments tells workers which namespaces to serve.
package assignments

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/pool"
	"github.com/bulkheadhq/bulkhead/core/sleep"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Assignment is a namespace that a worker process should serve.
type Assignment struct {
	Org        id.Org
	OrgSlug    string
	Namespace  string
	State      org.State
	TaskQueues []string // none: those that the worker knows itself
}

// List is all of a worker's assignments with their version.
type List struct {
	Items   []Assignment
	Version string // equal for equal lists; opaque
}

// Question is which organizations a worker asks for. The zero one is for all. The
// rest is for workers of the platform.
type Question struct {
	Pool     string // "": of all pools
	Member   string // the process, among those that share the pool; "": it shares with nobody
	Replicas int    // by how many members each organization is served; 0 is 1
	Leaving  bool   // the member serves nothing any more
}

const (
	// lease is for how long a member is one that does not ask again. Who waits for an
	// answer goes on asking, at a third of it.
	lease = 15 * time.Second

	// lookEvery is how often somebody looks for a change that nothing told of. It
	// bounds how late a worker learns of one without notifications.
	lookEvery = time.Second
)

// Service tells workers their assignments.
type Service struct {
	store    ports.Store
	platform ports.Platform
	members  ports.WorkerMembers
	board    *board
}

// New returns the service. Run is what ends the waiting when something changes.
func New(store ports.Store, platform ports.Platform, members ports.WorkerMembers) *Service {
	s := &Service{store: store, platform: platform, members: members}
	s.board = newBoard(s.readRoster)
	return s
}

// Run wakes those who wait when something may have changed, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	for {
		err := s.members.Wait(ctx, lookEvery)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // it has not waited
			sleep.For(ctx, lookEvery)
		}
		s.board.turn()
	}
}

// List returns the actor's assignments: for an actor of the platform every active
// organization, those of a pool, or a member's share of them; its own for any other.
// When the version is the one that the caller knows, it waits up to wait for
// another. It fails with fault.ErrInvalid.
func (s *Service) List(ctx context.Context, by authz.Actor, q Question, known string, wait time.Duration) (List, error) {
	if err := by.Require(authz.AssignmentsRead, by.Org()); err != nil {
		return List{}, err
	}
	if err := q.check(by); err != nil {
		return List{}, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	hold := time.NewTicker(lease / 3)
	defer hold.Stop()
	if err := s.hold(ctx, q); err != nil {
		return List{}, err
	}
	for waited := false; ; waited = true {
		page := s.board.page() // before it is read: what changes meanwhile turns it
		l, err := s.read(ctx, by, q, page, waited)
		if err != nil || l.Version != known || wait <= 0 {
			return l, err
		}
		select {
		case <-ctx.Done():
			return List{}, ctx.Err()
		case <-deadline.C:
			return l, nil
		case <-hold.C:
			if err := s.hold(ctx, q); err != nil {
				return List{}, err
			}
		case <-page.turned:
		}
	}
}

// check refuses what is no question, and a tenant's question about a pool: whoever can
// be a member of one takes organizations away from the others.
func (q Question) check(by authz.Actor) error {
	switch {
	case by.IsPlatform():
	case q.Pool != "":
		return fault.InvalidField("pool", "platform", "is for workers of the platform")
	case q.Member != "":
		return fault.InvalidField("member", "platform", "is for workers of the platform")
	}
	if q.Pool != "" {
		if err := org.CheckPool("pool", q.Pool); err != nil {
			return err
		}
	}
	if q.Member == "" {
		if q.Leaving {
			return fault.InvalidField("member", "required", "must say who leaves")
		}
		return nil
	}
	if q.Replicas < 0 || q.Replicas > pool.MaxReplicas {
		return fault.InvalidField("replicas", "range", "must be between 1 and 16")
	}
	return pool.CheckMember(q.Member)
}

// hold keeps who asks a member of the pool, or ends that.
func (s *Service) hold(ctx context.Context, q Question) error {
	switch {
	case q.Member == "":
		return nil
	case q.Leaving:
		return s.members.Leave(ctx, q.Pool, q.Member)
	}
	return s.members.Hold(ctx, q.Pool, q.Member, lease)
}

// read returns the list as it is since the page began, or now for who has waited for
// no page.
func (s *Service) read(ctx context.Context, by authz.Actor, q Question, since page, waited bool) (List, error) {
	if q.Leaving {
		return list(nil), nil
	}
	if !by.IsPlatform() {
		o, err := s.store.Reads(by.Org()).Org(ctx)
		return list([]org.Snapshot{o.Snapshot()}), err
	}
	read := s.readRoster
	if waited {
		read = func(ctx context.Context) (roster, error) { return s.board.read(ctx, since) }
	}
	r, err := read(ctx)
	if err != nil {
		return List{}, err
	}
	return list(r.of(q)), nil
}

func (s *Service) readRoster(ctx context.Context) (roster, error) {
	members, err := s.members.All(ctx)
	if err != nil {
		return roster{}, err
	}
	orgs, err := s.platform.ActiveOrgs(ctx)
	if err != nil {
		return roster{}, err
	}
	r := roster{members: members, orgs: make([]org.Snapshot, len(orgs))}
	for i := range orgs {
		r.orgs[i] = orgs[i].Snapshot()
	}
	return r, nil
}

// list returns the assignments to those of the organizations that are served.
func list(orgs []org.Snapshot) List {
	var l List
	sum := sha256.New()
	for i := range orgs {
		o := &orgs[i]
		if o.State != org.Active || o.ID == id.SystemOrg {
			continue
		}
		l.Items = append(l.Items, Assignment{Org: o.ID, OrgSlug: o.Slug, Namespace: o.Namespace, State: o.State})
		sum.Write([]byte(o.ID.String() + o.Slug + "\x00" + o.Namespace + "\x00"))
	}
	l.Version = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16])
	return l
}
