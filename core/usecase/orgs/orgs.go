// Package orgs creates, shows and changes organizations, suspends and deletes them.
package orgs

import (
	"context"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Service looks after organizations.
type Service struct {
	store      ports.Store
	platform   ports.Platform
	namespaces ports.Namespaces
	clock      ports.Clock
}

// New returns the service.
func New(store ports.Store, platform ports.Platform, namespaces ports.Namespaces, clock ports.Clock) *Service {
	return &Service{store: store, platform: platform, namespaces: namespaces, clock: clock}
}

// FirstAdmin is an admin that an organization is created with.
type FirstAdmin struct {
	Email string
	Name  string // "": the address
}

// MaxAdmins is how many admins an organization can be created with.
const MaxAdmins = 20

// CreateInput is a new organization with its first admins.
type CreateInput struct {
	ID                id.Org // zero: a fresh one
	Slug              string
	Name              string       // "": the slug
	Admin             FirstAdmin   // zero: see Admins
	Admins            []FirstAdmin // further ones, or all of them
	Metadata          org.Metadata
	Settings          org.Settings
	DeletionProtected bool
	WorkerPool        string // "": the default
	AdoptNamespace    string // a namespace that is there, for it to have; "": it gets one of its own
}

// Created is what Create made.
type Created struct {
	Org       org.Org
	Admins    []user.User
	Operation operation.Operation
}

// Create creates an organization with its first admins and asks for its
// namespace, all in one transaction: the organization is provisioned whatever
// happens to this process afterwards. For operators. It fails with
// org.ErrSlugTaken, org.ErrIDTaken, and with fault.ErrInvalid for a broken rule; for a
// namespace to be adopted with ports.ErrNamespaceUnregistered, ports.ErrNamespaceForeign
// and org.ErrNamespaceTaken.
func (s *Service) Create(ctx context.Context, by authz.Actor, in CreateInput) (Created, error) {
	if err := by.RequirePlatform(authz.OrganizationsCreate); err != nil {
		return Created{}, err
	}
	now := s.clock.Now()
	c, err := compose(in, now)
	if err != nil {
		return Created{}, err
	}
	o, op := c.Org.Snapshot(), c.Operation.Snapshot()
	if err := s.adoptable(ctx, o); err != nil {
		return Created{}, err
	}
	msg, err := outbox.NewProvision(o.ID, op.ID, now)
	if err != nil {
		return Created{}, err
	}
	err = s.store.WriteTx(ctx, o.ID, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Orgs.Insert(ctx, c.Org); err != nil {
			return err
		}
		if err := tx.Operations.Insert(ctx, c.Operation); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Accepted(o.ID, now, by, audit.OrganizationCreated, resource, o.ID.String(), creation(o))); err != nil {
			return err
		}
		for _, u := range c.Admins {
			if err := insert(ctx, tx, by, u, now); err != nil {
				return err
			}
		}
		return tx.Outbox.Append(ctx, msg)
	})
	if err != nil {
		return Created{}, s.taken(ctx, o, err)
	}
	return c, nil
}

// resource is what the trail calls an organization.
const resource = "organization"

// insert stores an admin, with its line in the trail.
func insert(ctx context.Context, tx ports.Tx, by authz.Actor, u user.User, now time.Time) error {
	if err := tx.Users.Insert(ctx, u); err != nil {
		return err
	}
	s := u.Snapshot()
	return tx.Audit.Append(ctx, audit.Accepted(s.OrgID, now, by, audit.UserCreated, "user", s.ID.String(),
		map[string]audit.Change{"email": audit.Created(s.Email), "role": audit.Created(s.Role.String())}))
}

// compose checks the input and makes the parts of it.
func compose(in CreateInput, now time.Time) (Created, error) {
	slug, err := org.ParseSlug(in.Slug)
	if err != nil {
		return Created{}, err
	}
	if in.ID.IsZero() {
		in.ID = id.New[id.OrgKind]()
	}
	o, err := org.New(org.Spec{
		ID: in.ID, Slug: slug, Name: in.Name, Metadata: in.Metadata, Settings: in.Settings, DeletionProtected: in.DeletionProtected,
		WorkerPool: in.WorkerPool, AdoptNamespace: in.AdoptNamespace,
	}, now)
	if err != nil {
		return Created{}, err
	}
	admins, err := composeAdmins(in, now)
	if err != nil {
		return Created{}, err
	}
	op := operation.New(id.New[id.OperationKind](), o.ID(), operation.ProvisionOrganization, now)
	return Created{Org: o, Admins: admins, Operation: op}, nil
}

// composeAdmins makes the first admins, of whom there must be one.
func composeAdmins(in CreateInput, now time.Time) ([]user.User, error) {
	var admins []user.User
	seen := map[string]bool{}
	add := func(a FirstAdmin, at string) error {
		email, err := user.ParseEmail(at+"/email", a.Email)
		if err != nil {
			return err
		}
		if seen[email.String()] {
			return fault.InvalidField(at+"/email", "unique", "is another admin's, too")
		}
		seen[email.String()] = true
		u, err := user.New(id.New[id.UserKind](), in.ID, email, a.Name, authz.Admin, now)
		if err != nil {
			return fault.Under(err, at)
		}
		admins = append(admins, u)
		return nil
	}
	if in.Admin == (FirstAdmin{}) && len(in.Admins) == 0 {
		return nil, fault.InvalidField("/admin", "required", "is required unless admins names one")
	}
	if in.Admin != (FirstAdmin{}) {
		if err := add(in.Admin, "/admin"); err != nil {
			return nil, err
		}
	}
	for i, a := range in.Admins {
		if err := add(a, fmt.Sprintf("/admins/%d", i)); err != nil {
			return nil, err
		}
	}
	if len(admins) > MaxAdmins {
		return nil, fault.InvalidField("/admins", "max_items", "an organization is created with at most 20 admins")
	}
	return admins, nil
}

// Resolve returns the identifier of the organization that ref, an id or a slug,
// names for the actor. One's own organization costs no query. A foreign one is
// fault.ErrNotFound, as one that does not exist.
func (s *Service) Resolve(ctx context.Context, by authz.Actor, ref string) (id.Org, error) {
	if by.Kind() == authz.Nobody {
		return id.Org{}, fault.ErrUnauthenticated
	}
	parsed, err := id.Parse[id.OrgKind](ref)
	isID := err == nil
	switch {
	case isID && parsed == by.Org(), !isID && ref == by.OrgSlug():
		return by.Org(), nil
	case !by.IsPlatform():
		return id.Org{}, fault.ErrNotFound
	}
	find := func() (org.Org, error) { return s.platform.OrgBySlug(ctx, ref) }
	if isID {
		find = func() (org.Org, error) { return s.platform.Org(ctx, parsed) }
	}
	o, err := find()
	if err != nil {
		return id.Org{}, err
	}
	return o.ID(), nil
}

// Details is an organization with what belongs to it.
type Details struct {
	Org    org.Org
	Counts org.Counts
}

// Get shows an organization, and how much belongs to it.
func (s *Service) Get(ctx context.Context, by authz.Actor, o id.Org) (Details, error) {
	if err := by.Require(authz.OrganizationsRead, o); err != nil {
		return Details{}, err
	}
	reads := s.store.Reads(o)
	row, err := reads.Org(ctx)
	if err != nil {
		return Details{}, err
	}
	counts, err := reads.OrgCounts(ctx)
	if err != nil {
		return Details{}, err
	}
	return Details{Org: row, Counts: counts}, nil
}

// List lists the organizations that the filter chooses. For operators.
func (s *Service) List(ctx context.Context, by authz.Actor, f org.Filter, r page.Request) (page.Page[org.Org], error) {
	if err := by.RequirePlatform(authz.OrganizationsList); err != nil {
		return page.Page[org.Org]{}, err
	}
	return s.platform.Orgs(ctx, f, r)
}
