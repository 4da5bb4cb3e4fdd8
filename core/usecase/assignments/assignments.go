// Package assignments tells workers which namespaces to serve.
package assignments

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
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

// pollInterval is how often a waiting call looks for a change. It bounds how
// late a worker learns of a new organization.
const pollInterval = 250 * time.Millisecond

// Service tells workers their assignments.
type Service struct {
	store    ports.Store
	platform ports.Platform
}

// New returns the service.
func New(store ports.Store, platform ports.Platform) *Service {
	return &Service{store: store, platform: platform}
}

// List returns the actor's assignments: every active organization for an actor
// of the platform, its own for any other. When the version is the one that the
// caller knows, it waits up to wait for another.
func (s *Service) List(ctx context.Context, by authz.Actor, known string, wait time.Duration) (List, error) {
	if err := by.Require(authz.AssignmentsRead, by.Org()); err != nil {
		return List{}, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		l, err := s.read(ctx, by)
		if err != nil || l.Version != known || wait <= 0 {
			return l, err
		}
		select {
		case <-ctx.Done():
			return List{}, ctx.Err()
		case <-deadline.C:
			return l, nil
		case <-tick.C:
		}
	}
}

func (s *Service) read(ctx context.Context, by authz.Actor) (List, error) {
	orgs, err := s.serving(ctx, by)
	if err != nil {
		return List{}, err
	}
	var l List
	sum := sha256.New()
	for i := range orgs {
		o := orgs[i].Snapshot()
		if o.State != org.Active || o.ID == id.SystemOrg {
			continue
		}
		l.Items = append(l.Items, Assignment{Org: o.ID, OrgSlug: o.Slug, Namespace: o.Namespace, State: o.State})
		sum.Write([]byte(o.ID.String() + o.Slug + "\x00" + o.Namespace + "\x00"))
	}
	l.Version = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16])
	return l, nil
}

func (s *Service) serving(ctx context.Context, by authz.Actor) ([]org.Org, error) {
	if by.IsPlatform() {
		return s.platform.ActiveOrgs(ctx)
	}
	o, err := s.store.Reads(by.Org()).Org(ctx)
	if err != nil {
		return nil, err
	}
	return []org.Org{o}, nil
}
