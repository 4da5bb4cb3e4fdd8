package orgs

import (
	"context"
	"fmt"
	"slices"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

// creation is what the trail says of a new organization.
func creation(o org.Snapshot) map[string]audit.Change {
	changes := differences(org.Snapshot{}, o)
	changes["namespace"] = audit.Created(o.Namespace)
	note(changes, "namespace_adopted", false, o.NamespaceAdopted)
	return changes
}

// differences returns, by field, what a change made of an organization.
func differences(before, after org.Snapshot) map[string]audit.Change {
	changes := map[string]audit.Change{}
	note(changes, "slug", before.Slug, after.Slug)
	note(changes, "name", before.Name, after.Name)
	note(changes, "deletion_protected", before.DeletionProtected, after.DeletionProtected)
	note(changes, "worker_pool", before.WorkerPool, after.WorkerPool)
	b, a := before.Settings, after.Settings
	note(changes, "settings.deletion_grace_days", b.DeletionGraceDays, a.DeletionGraceDays)
	note(changes, "settings.audit_retention_days", b.AuditRetentionDays, a.AuditRetentionDays)
	note(changes, "settings.api_key_default_ttl_days", b.APIKeyDefaultTTLDays, a.APIKeyDefaultTTLDays)
	note(changes, "settings.api_key_max_ttl_days", b.APIKeyMaxTTLDays, a.APIKeyMaxTTLDays)
	note(changes, "settings.workflow_retention_days", b.WorkflowRetentionDays, a.WorkflowRetentionDays)
	if !b.AllowList.Equal(a.AllowList) {
		changes["allow_list"] = audit.Change{Before: b.AllowList, After: a.AllowList}
	}
	if keys, changed := audit.Keys(before.Metadata, after.Metadata); changed {
		changes["metadata"] = keys
	}
	return changes
}

// note adds a field that is different. What was, or is, nothing is left out.
func note[T comparable](changes map[string]audit.Change, field string, before, after T) {
	var none T
	if before == after {
		return
	}
	var c audit.Change
	if before != none {
		c.Before = before
	}
	if after != none {
		c.After = after
	}
	changes[field] = c
}

// moved is what the trail says of a change of state.
func moved(before, after org.Snapshot) map[string]audit.Change {
	changes := map[string]audit.Change{"state": {Before: before.State.String(), After: after.State.String()}}
	note(changes, "reason", before.StateReason, after.StateReason)
	return changes
}

// checkRoles checks that the rules of an allow-list are for roles that there are: a
// role that none is for may start everything, so that a misspelt one would open what
// it was to close. It is asked while the organization is locked: a role that is renamed
// meanwhile has its rules follow, or is not there any more.
func checkRoles(ctx context.Context, tx ports.Tx, rules org.AllowList) error {
	custom := slices.DeleteFunc(rules.Roles(), isBuiltIn)
	if len(custom) == 0 {
		return nil
	}
	known, err := tx.Roles.Named(ctx, custom)
	if err != nil {
		return err
	}
	for i, r := range rules {
		if r.Role != org.AnyRole && !isBuiltIn(r.Role) && !slices.Contains(known, r.Role) {
			return fault.InvalidField(fmt.Sprintf("/rules/%d/role", i), "exists", "must be a built-in role, the name of a custom role, or *")
		}
	}
	return nil
}

func isBuiltIn(role string) bool {
	_, err := authz.ParseRole(role)
	return err == nil
}
