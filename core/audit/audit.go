// Package audit is the trail: one entry for each change, written in the change's
// own transaction, that nobody can alter afterwards.
package audit

import (
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// Action is what was done, from the closed set below.
type Action struct{ name string }

// String returns the action's name.
func (a Action) String() string { return a.name }

// actions are the names of all actions. One that was ever written stays: the trails
// hold it.
var actions = map[string]bool{}

// action declares one.
func action(name string) Action {
	actions[name] = true
	return Action{name}
}

// resourceTypes are the kinds of things that entries are about.
var resourceTypes = []string{
	"apikey", "limit", "namespace", "operation", "organization", "role", "schedule", "user", "workflow", "workflow_batch",
}

// The actions.
var (
	OrganizationCreated            = action("organization.created")
	OrganizationActivated          = action("organization.activated")
	OrganizationProvisioningFailed = action("organization.provisioning_failed")
	OrganizationUpdated            = action("organization.updated")
	OrganizationSuspended          = action("organization.suspended")
	OrganizationResumed            = action("organization.resumed")
	OrganizationDeletionRequested  = action("organization.deletion_requested")
	OrganizationDeletionHastened   = action("organization.deletion_hastened") // its grace was ended
	OrganizationDeletionFailed     = action("organization.deletion_failed")
	OrganizationRestored           = action("organization.restored")
	OrganizationDeleted            = action("organization.deleted")
	OperationRetried               = action("operation.retried")
	UserCreated                    = action("user.created")
	UserUpdated                    = action("user.updated")
	UserSuspended                  = action("user.suspended")
	UserResumed                    = action("user.resumed")
	UserRemoved                    = action("user.removed")
	RoleCreated                    = action("role.created")
	RoleUpdated                    = action("role.updated")
	RoleDeleted                    = action("role.deleted")
	APIKeyCreated                  = action("apikey.created")
	APIKeyRevoked                  = action("apikey.revoked")
	APIKeyUpdated                  = action("apikey.updated")
	APIKeyDisabled                 = action("apikey.disabled")
	APIKeyEnabled                  = action("apikey.enabled")
	APIKeyRotated                  = action("apikey.rotated")
	APIKeyDeleted                  = action("apikey.deleted")
	APIKeyOldSecretEnded           = action("apikey.old_secret_ended") // its successor has been seen
	APIKeyExpiresSoon              = action("apikey.expires_soon")
	APIKeyLeaked                   = action("apikey.leaked")
	// What is asked of a workflow stands before it is done: what nobody can
	// account for must not happen, while what Temporal then refuses may well be on
	// record.
	WorkflowStartRequested     = action("workflow.start_requested")
	WorkflowSignalRequested    = action("workflow.signal_requested")
	WorkflowUpdateRequested    = action("workflow.update_requested")
	WorkflowCancelRequested    = action("workflow.cancel_requested")
	WorkflowTerminateRequested = action("workflow.terminate_requested")
	WorkflowResetRequested     = action("workflow.reset_requested")

	// What has come of a start that was asked for, with the run. It follows when that is
	// known: an organization's trail and Temporal can not commit together.
	WorkflowStarted = action("workflow.started")
	WorkflowJoined  = action("workflow.joined") // what ran under the id already was used

	// What is asked of many workflows stands before it is done, for the same reason.
	WorkflowBatchCancelRequested    = action("workflow.batch_cancel_requested")
	WorkflowBatchTerminateRequested = action("workflow.batch_terminate_requested")
	WorkflowBatchSignalRequested    = action("workflow.batch_signal_requested")
	WorkflowBatchStopRequested      = action("workflow.batch_stop_requested")

	// What is asked of a schedule stands before it is done, for the same reason.
	ScheduleCreateRequested   = action("schedule.create_requested")
	ScheduleUpdateRequested   = action("schedule.update_requested")
	SchedulePauseRequested    = action("schedule.pause_requested")
	ScheduleResumeRequested   = action("schedule.resume_requested")
	ScheduleTriggerRequested  = action("schedule.trigger_requested")
	ScheduleBackfillRequested = action("schedule.backfill_requested")
	ScheduleDeleteRequested   = action("schedule.delete_requested")

	// What is asked of all schedules at once is done by an operation, which it names.
	SchedulesPauseRequested  = action("schedule.pause_all_requested")
	SchedulesResumeRequested = action("schedule.resume_all_requested")
	// That it has failed for good ends it.
	SchedulesPauseFailed  = action("schedule.pause_all_failed")
	SchedulesResumeFailed = action("schedule.resume_all_failed")

	// NamespaceReconcileRequested is that the namespace is to be repaired.
	NamespaceReconcileRequested = action("namespace.reconcile_requested")
	// NamespaceDeleteRequested is that a namespace without an organization is to go.
	NamespaceDeleteRequested = action("namespace.delete_requested")
	// NamespaceNotDeleted is that an organization goes without the namespace of its name,
	// which was never its own.
	NamespaceNotDeleted = action("namespace.not_deleted")

	// ScheduleHeld is that Bulkhead is to pause a schedule, and ScheduleReleased that it
	// has let go of it.
	ScheduleHeld     = action("schedule.held")
	ScheduleReleased = action("schedule.released")

	// AccessRefused is a request that an actor's power did not allow, and
	// AccessUnauthenticated one whose credential was not good. Both are counted
	// and written once in a while: see Count.
	AccessRefused         = action("access.refused")
	AccessUnauthenticated = action("access.unauthenticated")
	// LimitWarned is that an organization has used most of a limit.
	LimitWarned  = action("limit.warned")
	LimitUpdated = action("limit.updated")
	// TrailPurged is the end of entries older than the organization keeps them.
	TrailPurged = action("audit.purged")
)

// isRequest tells whether the action is that something was asked for, which stands
// before it is done.
func (a Action) isRequest() bool { return strings.HasSuffix(a.name, "_requested") }

// Outcome is how it ended.
type Outcome struct{ name string }

// String returns the outcome's name.
func (o Outcome) String() string { return o.name }

// The outcomes.
var (
	Succeeded = Outcome{"succeeded"}
	Requested = Outcome{"requested"} // it stands here before it is done: what it was about tells whether it was
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

// Accepted returns the entry of a change that happened or, when the action is a
// request, that it was asked for.
func Accepted(org id.Org, now time.Time, by authz.Actor, a Action, resourceType, resourceID string, changes map[string]Change) Entry {
	outcome := Succeeded
	if a.isRequest() {
		outcome = Requested
	}
	return Entry{
		ID: id.New[id.EventKind](), OrgID: org, At: now, Actor: by, Action: a,
		ResourceType: resourceType, ResourceID: resourceID, Outcome: outcome, Changes: changes,
	}
}

// Created is the change of a field that did not exist before.
func Created(v any) Change { return Change{After: v} }
