package roles

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// followed has the organization's allow-list follow a role to its new name.
func followed(ctx context.Context, tx ports.Tx, by authz.Actor, from, to string, now time.Time) error {
	var o id.Org
	var before, after org.AllowList
	err := tx.Orgs.Update(ctx, func(row *org.Org) error {
		o, before = row.ID(), row.Snapshot().Settings.AllowList
		row.RenameRole(from, to, now)
		after = row.Snapshot().Settings.AllowList
		return nil
	})
	if err != nil || before.Equal(after) {
		return err
	}
	return tx.Audit.Append(ctx, audit.Accepted(o, now, by, audit.OrganizationUpdated, "organization", o.String(),
		map[string]audit.Change{"allow_list": {Before: before, After: after}}))
}
