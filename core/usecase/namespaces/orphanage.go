package namespaces

import (
	"bytes"
	"context"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// The two halves of the list of orphans, as its tokens begin.
var (
	fromTemporal = []byte("t:") // and then Temporal's own token
	fromDatabase = []byte("o:") // and then the organization that was looked at last
)

// Orphans lists the namespaces without an organization, and then the organizations
// without their namespace. A page is what was found among as many as were asked for:
// it may have few, or none, and yet not be the last. For operators.
func (s *Service) Orphans(ctx context.Context, by authz.Actor, r page.TokenRequest) (page.TokenPage[namespace.Orphan], error) {
	if err := by.RequirePlatform(authz.OrganizationsList); err != nil {
		return page.TokenPage[namespace.Orphan]{}, err
	}
	if after, ok := bytes.CutPrefix(r.Token, fromDatabase); ok {
		return s.orphanedOrganizations(ctx, r.Limit, after)
	}
	return s.orphanedNamespaces(ctx, r.Limit, bytes.TrimPrefix(r.Token, fromTemporal))
}

func (s *Service) orphanedNamespaces(ctx context.Context, limit int, token []byte) (page.TokenPage[namespace.Orphan], error) {
	found, err := s.namespaces.All(ctx, page.TokenRequest{Limit: limit, Token: token})
	if err != nil {
		return page.TokenPage[namespace.Orphan]{}, err
	}
	out := page.TokenPage[namespace.Orphan]{Next: fromDatabase}
	if found.Next != nil {
		out.Next = append(bytes.Clone(fromTemporal), found.Next...)
	}
	for _, f := range found.Items {
		orphan, orphaned, err := s.ofNamespace(ctx, f)
		if err != nil {
			return page.TokenPage[namespace.Orphan]{}, err
		}
		if orphaned {
			out.Items = append(out.Items, orphan)
		}
	}
	return out, nil
}

func (s *Service) orphanedOrganizations(ctx context.Context, limit int, token []byte) (page.TokenPage[namespace.Orphan], error) {
	after := uuid.Nil
	if len(token) > 0 {
		var err error
		if after, err = uuid.FromBytes(token); err != nil {
			return page.TokenPage[namespace.Orphan]{}, page.ErrCursor.Because(err)
		}
	}
	found, err := s.platform.Orgs(ctx, org.Filter{}, page.Request{Limit: limit, After: after})
	if err != nil {
		return page.TokenPage[namespace.Orphan]{}, err
	}
	var out page.TokenPage[namespace.Orphan]
	if found.Next != uuid.Nil {
		out.Next = append(bytes.Clone(fromDatabase), found.Next[:]...)
	}
	for _, row := range found.Items {
		orphan, orphaned, err := s.bereaved(ctx, row)
		if err != nil {
			return page.TokenPage[namespace.Orphan]{}, err
		}
		if orphaned {
			out.Items = append(out.Items, orphan)
		}
	}
	return out, nil
}

// bereaved tells whether an organization is without its namespace.
func (s *Service) bereaved(ctx context.Context, row org.Org) (namespace.Orphan, bool, error) {
	if !hasNamespace(row) {
		return namespace.Orphan{}, false, nil
	}
	b, err := s.blueprint(row)
	if err != nil {
		return namespace.Orphan{}, false, err
	}
	state, err := s.namespaces.State(ctx, b.Namespace)
	if err != nil {
		return namespace.Orphan{}, false, err
	}
	return s.ofOrganization(ctx, b, state)
}

// DeleteOrphan deletes a namespace without an organization, with all that is in it. That
// it is one is looked at when the request stands in the trail, which is the system
// organization's, and what is deleted is what was looked at. Its schedules go before, as
// with an organization's: what one of them started while Temporal removes all that has
// run would keep it busy for minutes. Of very many that may be cut short by the end of
// the request, and the next one goes on. For operators. It fails with fault.ErrNotFound,
// namespace.ErrNotOrphaned, and with fault.ErrInvalid when it is not confirmed by its name.
func (s *Service) DeleteOrphan(ctx context.Context, by authz.Actor, name, confirm string) error {
	if err := by.RequirePlatform(authz.OrganizationsDelete); err != nil {
		return err
	}
	if confirm != name {
		return fault.InvalidField("confirm", "match", "must be the namespace's name")
	}
	orphan, err := s.orphan(ctx, name)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	changes := map[string]audit.Change{"reason": {Before: orphan.Reason.String()}, "namespace_id": {Before: orphan.ID}}
	if !orphan.Organization.IsZero() {
		changes["organization"] = audit.Change{Before: orphan.Organization.String()}
	}
	if err := s.store.WriteTx(ctx, id.SystemOrg, func(ctx context.Context, tx ports.Tx) error {
		return tx.Audit.Append(ctx, audit.Accepted(id.SystemOrg, now, by, audit.NamespaceDeleteRequested, "namespace", name, changes))
	}); err != nil {
		return err
	}
	again, err := s.orphan(ctx, name)
	if err != nil {
		return err
	}
	if again.ID != orphan.ID {
		return namespace.ErrNotOrphaned
	}
	if err := s.schedules.DeleteAll(ctx, name); err != nil {
		return err
	}
	return s.namespaces.Discard(ctx, name, orphan.ID)
}

// orphan returns the orphan that a namespace is now.
func (s *Service) orphan(ctx context.Context, name string) (namespace.Orphan, error) {
	if name == org.SystemNamespace {
		return namespace.Orphan{}, namespace.ErrNotOrphaned
	}
	state, err := s.namespaces.State(ctx, name)
	if err != nil {
		return namespace.Orphan{}, err
	}
	if state.Status == namespace.Absent || state.Status == namespace.Deleted {
		return namespace.Orphan{}, fault.ErrNotFound
	}
	orphan, orphaned, err := s.ofNamespace(ctx, namespace.Found{Name: name, State: state})
	if err == nil && !orphaned {
		err = namespace.ErrNotOrphaned
	}
	return orphan, err
}
