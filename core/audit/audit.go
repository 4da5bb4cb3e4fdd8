// Package audit is the trail: one entry for each change, written in the change's
// own transaction, that nobody can alter afterwards.
package audit

import (
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Action is what was done, from the closed set below.
type Action struct{ name string }

// String returns the action's name.
func (a Action) String() string { return a.name }

// The actions.
var (
	OrganizationCreated            = Action{"organization.created"}
	OrganizationActivated          = Action{"organization.activated"}
	OrganizationProvisioningFailed = Action{"organization.provisioning_failed"}
	OrganizationUpdated            = Action{"organization.updated"}
	OrganizationSuspended          = Action{"organization.suspended"}
	OrganizationResumed            = Action{"organization.resumed"}
	OrganizationDeletionRequested  = Action{"organization.deletion_requested"}
	OrganizationDeletionHastened   = Action{"organization.deletion_hastened"} // its grace was ended
	OrganizationDeletionFailed     = Action{"organization.deletion_failed"}
	OrganizationRestored           = Action{"organization.restored"}
	OrganizationDeleted            = Action{"organization.deleted"}
	OperationRetried               = Action{"operation.retried"}
	UserCreated                    = Action{"user.created"}
	UserUpdated                    = Action{"user.updated"}
	UserSuspended                  = Action{"user.suspended"}
	UserResumed                    = Action{"user.resumed"}
	UserRemoved                    = Action{"user.removed"}
	RoleCreated                    = Action{"role.created"}
	RoleUpdated                    = Action{"role.updated"}
	RoleDeleted                    = Action{"role.deleted"}
	APIKeyCreated                  = Action{"apikey.created"}
	APIKeyRevoked                  = Action{"apikey.revoked"}
	APIKeyUpdated                  = Action{"apikey.updated"}
	APIKeyDisabled                 = Action{"apikey.disabled"}
	APIKeyEnabled                  = Action{"apikey.enabled"}
	APIKeyRotated                  = Action{"apikey.rotated"}
	APIKeyDeleted                  = Action{"apikey.deleted"}
	APIKeyOldSecretEnded           = Action{"apikey.old_secret_ended"} // its successor has been seen
	APIKeyExpiresSoon              = Action{"apikey.expires_soon"}
	APIKeyLeaked                   = Action{"apikey.leaked"}
	// What is asked of a workflow stands before it is done: what nobody can
	// account for must not happen, while what Temporal then refuses may well be on
	// record.
	WorkflowStartRequested     = Action{"workflow.start_requested"}
	WorkflowSignalRequested    = Action{"workflow.signal_requested"}
	WorkflowUpdateRequested    = Action{"workflow.update_requested"}
	WorkflowCancelRequested    = Action{"workflow.cancel_requested"}
	WorkflowTerminateRequested = Action{"workflow.terminate_requested"}
	WorkflowResetRequested     = Action{"workflow.reset_requested"}

	// What is asked of many workflows stands before it is done, for the same reason.
	WorkflowBatchCancelRequested    = Action{"workflow.batch_cancel_requested"}
	WorkflowBatchTerminateRequested = Action{"workflow.batch_terminate_requested"}
	WorkflowBatchSignalRequested    = Action{"workflow.batch_signal_requested"}
	WorkflowBatchStopRequested      = Action{"workflow.batch_stop_requested"}

	// What is asked of a schedule stands before it is done, for the same reason.
	ScheduleCreateRequested   = Action{"schedule.create_requested"}
	ScheduleUpdateRequested   = Action{"schedule.update_requested"}
	SchedulePauseRequested    = Action{"schedule.pause_requested"}
	ScheduleResumeRequested   = Action{"schedule.resume_requested"}
	ScheduleTriggerRequested  = Action{"schedule.trigger_requested"}
	ScheduleBackfillRequested = Action{"schedule.backfill_requested"}
	ScheduleDeleteRequested   = Action{"schedule.delete_requested"}

	// NamespaceReconcileRequested is that the namespace is to be repaired.
	NamespaceReconcileRequested = Action{"namespace.reconcile_requested"}

	// ScheduleHeld is that Bulkhead is to pause a schedule, and ScheduleReleased that it
	// has let go of it.
	ScheduleHeld     = Action{"schedule.held"}
	ScheduleReleased = Action{"schedule.released"}

	// AccessRefused is a request that an actor's power did not allow, and
	// AccessUnauthenticated one whose credential was not good. Both are counted
	// and written once in a while: see Count.
	AccessRefused         = Action{"access.refused"}
	AccessUnauthenticated = Action{"access.unauthenticated"}
	// LimitWarned is that an organization has used most of a limit.
	LimitWarned  = Action{"limit.warned"}
	LimitUpdated = Action{"limit.updated"}
	// TrailPurged is the end of entries older than the organization keeps them.
	TrailPurged = Action{"audit.purged"}
)

// Outcome is how it ended.
type Outcome struct{ name string }

// String returns the outcome's name.
func (o Outcome) String() string { return o.name }

// The outcomes.
var (
	Succeeded = Outcome{"succeeded"}
	Refused   = Outcome{"refused"}
	Errored   = Outcome{"failed"}
)

// Change is one field before and after. Secrets never stand here.
type Change struct {
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
}

// Entry is one line of an organization's trail.
type Entry struct {
	ID           id.Event
	OrgID        id.Org // whose trail it stands in: the organization acted upon
	At           time.Time
	Actor        authz.Actor
	Action       Action
	ResourceType string
	ResourceID   string
	Outcome      Outcome
	Changes      map[string]Change
	Count        int64 // how often it happened; 0 is once
}

// Succeeds returns the entry of a change that happened.
func Succeeds(org id.Org, now time.Time, by authz.Actor, a Action, resourceType, resourceID string, changes map[string]Change) Entry {
	return Entry{
		ID: id.New[id.EventKind](), OrgID: org, At: now, Actor: by, Action: a,
		ResourceType: resourceType, ResourceID: resourceID, Outcome: Succeeded, Changes: changes,
	}
}

// Created is the change of a field that did not exist before.
func Created(v any) Change { return Change{After: v} }
