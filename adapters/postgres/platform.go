package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Platform is the reads across organizations.
type Platform struct{ db dbsqlc.DBTX }

var _ ports.Platform = (*Platform)(nil)

// NewPlatform returns the platform's reads of a database.
func NewPlatform(db *DB) *Platform { return &Platform{db.reading(platformScope)} }

// Org implements ports.Platform.
func (p *Platform) Org(ctx context.Context, o id.Org) (org.Org, error) {
	row, err := queries.PlatformOrgGet(ctx, p.db, o.UUID())
	return one(row, err, toOrg)
}

// OrgBySlug implements ports.Platform.
func (p *Platform) OrgBySlug(ctx context.Context, slug string) (org.Org, error) {
	row, err := queries.PlatformOrgGetBySlug(ctx, p.db, slug)
	return one(row, err, toOrg)
}

// Orgs implements ports.Platform.
func (p *Platform) Orgs(ctx context.Context, f org.Filter, q page.Request) (page.Page[org.Org], error) {
	var wanted org.Metadata
	if f.MetadataKey != "" {
		wanted = org.Metadata{f.MetadataKey: f.MetadataValue}
	}
	metadata, err := encodeMetadata(wanted)
	if err != nil {
		return page.Page[org.Org]{}, err
	}
	rows, err := p.list(ctx, f.Order, dbsqlc.PlatformOrgListOldestParams{
		State: f.State.String(), SlugPrefix: f.SlugPrefix, Metadata: metadata,
		FromStart: q.After == uuid.Nil, After: q.After, MaxRows: maxRows(q),
	})
	return cut(rows, err, toOrg, q, func(o org.Org) uuid.UUID { return o.ID().UUID() })
}

// list runs the query of the order. All have the same parameters.
func (p *Platform) list(ctx context.Context, o org.Order, arg dbsqlc.PlatformOrgListOldestParams) ([]*dbsqlc.Organization, error) {
	switch {
	case o.BySlug && o.Descending:
		return queries.PlatformOrgListBySlugBackwards(ctx, p.db, (*dbsqlc.PlatformOrgListBySlugBackwardsParams)(&arg))
	case o.BySlug:
		return queries.PlatformOrgListBySlug(ctx, p.db, (*dbsqlc.PlatformOrgListBySlugParams)(&arg))
	case o.Descending:
		return queries.PlatformOrgListNewest(ctx, p.db, (*dbsqlc.PlatformOrgListNewestParams)(&arg))
	}
	return queries.PlatformOrgListOldest(ctx, p.db, &arg)
}

// ActiveOrgs implements ports.Platform.
func (p *Platform) ActiveOrgs(ctx context.Context) ([]org.Org, error) {
	rows, err := queries.PlatformOrgListActive(ctx, p.db, id.SystemOrg.UUID())
	if err != nil {
		return nil, err
	}
	return each(rows, toOrg)
}

// Operation implements ports.Platform.
func (p *Platform) Operation(ctx context.Context, o id.Operation) (operation.Operation, error) {
	row, err := queries.PlatformOperationGet(ctx, p.db, o.UUID())
	return one(row, err, toOperation)
}
