// Package orgs creates and shows organizations.
package orgs

import (
	"context"
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

// Service creates and shows organizations.
type Service struct {
	store    ports.Store
	platform ports.Platform
	clock    ports.Clock
}

// New returns the service.
func New(store ports.Store, platform ports.Platform, clock ports.Clock) *Service {
	return &Service{store: store, platform: platform, clock: clock}
}

// CreateInput is a new organization with its first admin.
type CreateInput struct {
	Slug       string
	Name       string // "": the slug
	AdminEmail string
	AdminName  string // "": the address
}

// Created is what Create made.
type Created struct {
	Org       org.Org
	Admin     user.User
	Operation operation.Operation
}

// Create creates an organization with its first admin and asks for its
// namespace, all in one transaction: the organization is provisioned whatever
// happens to this process afterwards. For operators. It fails with
// org.ErrSlugTaken, and with fault.ErrInvalid for a broken rule.
func (s *Service) Create(ctx context.Context, by authz.Actor, in CreateInput) (Created, error) {
	if err := by.RequirePlatform(authz.OrganizationsCreate); err != nil {
		return Created{}, err
	}
	now := s.clock.Now()
	c, err := compose(in, now)
	if err != nil {
		return Created{}, err
	}
	o, admin, op := c.Org.Snapshot(), c.Admin.Snapshot(), c.Operation.Snapshot()
	msg, err := outbox.NewProvision(o.ID, op.ID, now)
	if err != nil {
		return Created{}, err
	}
	err = s.store.WriteTx(ctx, o.ID, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Orgs.Insert(ctx, c.Org); err != nil {
			return err
		}
		if err := tx.Users.Insert(ctx, c.Admin); err != nil {
			return err
		}
		if err := tx.Operations.Insert(ctx, c.Operation); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Succeeds(o.ID, now, by, audit.OrganizationCreated, "organization", o.ID.String(),
			map[string]audit.Change{"slug": audit.Created(o.Slug), "name": audit.Created(o.Name), "namespace": audit.Created(o.Namespace)})); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Succeeds(o.ID, now, by, audit.UserCreated, "user", admin.ID.String(),
			map[string]audit.Change{"email": audit.Created(admin.Email), "role": audit.Created(admin.Role.String())})); err != nil {
			return err
		}
		return tx.Outbox.Append(ctx, msg)
	})
	if err != nil {
		return Created{}, err
	}
	return c, nil
}

// compose checks the input and makes the three things of it.
func compose(in CreateInput, now time.Time) (Created, error) {
	slug, err := org.ParseSlug(in.Slug)
	if err != nil {
		return Created{}, err
	}
	email, err := user.ParseEmail("/admin/email", in.AdminEmail)
	if err != nil {
		return Created{}, err
	}
	o, err := org.New(id.New[id.OrgKind](), slug, in.Name, now)
	if err != nil {
		return Created{}, err
	}
	admin, err := user.New(id.New[id.UserKind](), o.ID(), email, in.AdminName, authz.Admin, now)
	if err != nil {
		return Created{}, fault.Under(err, "/admin")
	}
	op := operation.New(id.New[id.OperationKind](), o.ID(), operation.ProvisionOrganization, now)
	return Created{Org: o, Admin: admin, Operation: op}, nil
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

// Get shows an organization.
func (s *Service) Get(ctx context.Context, by authz.Actor, o id.Org) (org.Org, error) {
	if err := by.Require(authz.OrganizationsRead, o); err != nil {
		return org.Org{}, err
	}
	return s.store.Reads(o).Org(ctx)
}

// List lists all organizations. For operators.
func (s *Service) List(ctx context.Context, by authz.Actor, r page.Request) (page.Page[org.Org], error) {
	if err := by.RequirePlatform(authz.OrganizationsList); err != nil {
		return page.Page[org.Org]{}, err
	}
	return s.platform.Orgs(ctx, r)
}
