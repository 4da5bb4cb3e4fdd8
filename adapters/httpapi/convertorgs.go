package httpapi

import (
	"math"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
)

// toOrganization shows an organization with the tag of its version.
func (h *handlers) toOrganization(o org.Org) gen.Organization {
	s := o.Snapshot()
	return gen.Organization{
		ID: s.ID.String(), Slug: s.Slug, Name: s.Name,
		State: gen.OrganizationState(s.State.String()), StateReason: optional(s.StateReason),
		Namespace: s.Namespace, NamespaceState: namespaceState(s),
		Metadata: toMetadata(s.Metadata), Settings: toSettings(s.Settings), DeletionProtected: s.DeletionProtected, WorkerPool: s.WorkerPool,
		DeleteAfter: optional(s.DeleteAfter), Etag: h.etag(s.ID, s.ID.String(), s.Version),
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}

// namespaceState follows from the organization's row: nobody asks Temporal for it.
func namespaceState(s org.Snapshot) gen.OrganizationNamespaceState {
	switch {
	case s.State == org.Deleted:
		return gen.OrganizationNamespaceStateDeleted
	case s.State == org.Deleting && s.DeleteAfter.IsZero():
		return gen.OrganizationNamespaceStateDeleting
	case !s.ActivatedAt.IsZero():
		return gen.OrganizationNamespaceStateReady
	case s.State == org.Failed:
		return gen.OrganizationNamespaceStateFailed
	}
	return gen.OrganizationNamespaceStatePreparing
}

// toMetadata is an object also when there is none.
func toMetadata(m org.Metadata) gen.Metadata {
	if m == nil {
		return gen.Metadata{}
	}
	return gen.Metadata(m)
}

func toSettings(s org.Settings) gen.OrganizationSettings {
	days := func(n int) *int32 { return optional(number(n)) }
	return gen.OrganizationSettings{
		DeletionGraceDays: days(s.DeletionGraceDays), AuditRetentionDays: days(s.AuditRetentionDays),
		APIKeyDefaultTTLDays: days(s.APIKeyDefaultTTLDays), APIKeyMaxTTLDays: days(s.APIKeyMaxTTLDays),
		WorkflowRetentionDays: days(s.WorkflowRetentionDays),
	}
}

func fromSettings(s gen.OrganizationSettings) org.Settings {
	return org.Settings{
		DeletionGraceDays: int(orZero(s.DeletionGraceDays)), AuditRetentionDays: int(orZero(s.AuditRetentionDays)),
		APIKeyDefaultTTLDays: int(orZero(s.APIKeyDefaultTTLDays)), APIKeyMaxTTLDays: int(orZero(s.APIKeyMaxTTLDays)),
		WorkflowRetentionDays: int(orZero(s.WorkflowRetentionDays)),
	}
}

// number is a count as the contract has it.
func number(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

func toCreateInput(in gen.OrganizationCreate) (orgs.CreateInput, error) {
	out := orgs.CreateInput{
		Slug: in.Slug, Name: orZero(in.Name), Admin: toFirstAdmin(orZero(in.Admin)), Admins: each(orZero(in.Admins), toFirstAdmin),
		Metadata: org.Metadata(orZero(in.Metadata)), Settings: fromSettings(orZero(in.Settings)),
		DeletionProtected: orZero(in.DeletionProtected), WorkerPool: orZero(in.WorkerPool), AdoptNamespace: orZero(in.AdoptNamespace),
	}
	if in.ID != nil {
		var err error
		if out.ID, err = parseID[id.OrgKind]("/id", *in.ID); err != nil {
			return orgs.CreateInput{}, err
		}
	}
	return out, nil
}

func toFirstAdmin(a gen.FirstAdmin) orgs.FirstAdmin {
	return orgs.FirstAdmin{Email: a.Email, Name: orZero(a.Name)}
}

func toUpdateInput(in gen.OrganizationUpdate, version int64) orgs.UpdateInput {
	out := orgs.UpdateInput{Name: in.Name, Slug: in.Slug, DeletionProtected: in.DeletionProtected, WorkerPool: in.WorkerPool, Version: version}
	if in.Metadata != nil {
		m := org.Metadata(*in.Metadata)
		out.Metadata = &m
	}
	if in.Settings != nil {
		s := fromSettings(*in.Settings)
		out.Settings = &s
	}
	return out
}

func toFilter(p gen.ListOrganizationsParams) (org.Filter, error) {
	f := org.Filter{SlugPrefix: orZero(p.SlugPrefix)}
	var known bool
	if p.State != nil {
		if f.State, known = org.ParseState(string(*p.State)); !known { // of the contract, and not the core's
			return org.Filter{}, fault.InvalidField("state", "enum", "is not a state")
		}
	}
	var err error
	if f.MetadataKey, f.MetadataValue, err = org.ParseMetadataFilter(orZero(p.Metadata)); err != nil {
		return org.Filter{}, err
	}
	if f.Order, err = org.ParseOrder(orZero(p.Sort)); err != nil {
		return org.Filter{}, err
	}
	return f, nil
}

// retryPath is where another attempt at an operation is asked for; "" when there
// can be none.
func retryPath(o operation.Operation) string {
	if !o.Retryable() || o.Snapshot().State != operation.Failed {
		return ""
	}
	return operationsPath + o.Snapshot().ID.String() + "/retry"
}
