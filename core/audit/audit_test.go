package audit_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	t.Run("Should not say of what was asked for that it has happened", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		entry := func(a audit.Action) audit.Entry {
			return audit.Accepted(id.New[id.OrgKind](), now, authz.Bootstrap, a, "workflow", "w", nil)
		}
		is.Equal(entry(audit.WorkflowStartRequested).Outcome, audit.Requested)
		is.Equal(entry(audit.UserCreated).Outcome, audit.Succeeded)
	})

	t.Run("Should say who did what to what, and that it happened", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		o := id.New[id.OrgKind]()
		changes := map[string]audit.Change{"name": audit.Created("ci")}
		e := audit.Accepted(o, now, authz.Provisioner, audit.APIKeyCreated, "apikey", "key_1", changes)
		is.True(!e.ID.IsZero())
		is.Equal(e.OrgID, o)
		is.Equal(e.At, now)
		is.Equal(e.Actor, authz.Provisioner)
		is.Equal(e.Action, audit.APIKeyCreated)
		is.Equal(e.ResourceType, "apikey")
		is.Equal(e.ResourceID, "key_1")
		is.Equal(e.Outcome, audit.Succeeded)
		is.Equal(e.Changes, changes)
	})

	t.Run("Should be a new entry each time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		a := audit.Accepted(id.SystemOrg, now, authz.Provisioner, audit.APIKeyCreated, "apikey", "key_1", nil)
		b := audit.Accepted(id.SystemOrg, now, authz.Provisioner, audit.APIKeyCreated, "apikey", "key_1", nil)
		is.True(a.ID != b.ID)
	})

	t.Run("Should leave out the side of a change that there is not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b, err := json.Marshal(audit.Created("ci"))
		is.NoErr(err)
		is.Equal(string(b), `{"after":"ci"}`)
	})
}

func TestNames(t *testing.T) {
	t.Parallel()

	t.Run("Should be stable words, each once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		form := regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)
		seen := map[string]bool{}
		for _, a := range []audit.Action{
			audit.OrganizationCreated, audit.OrganizationActivated, audit.OrganizationProvisioningFailed,
			audit.UserCreated, audit.RoleCreated, audit.RoleUpdated, audit.RoleDeleted, audit.APIKeyCreated, audit.APIKeyRevoked, audit.WorkflowStartRequested,
			audit.WorkflowSignalRequested, audit.WorkflowUpdateRequested, audit.WorkflowCancelRequested, audit.WorkflowTerminateRequested, audit.WorkflowResetRequested,
			audit.WorkflowBatchCancelRequested, audit.WorkflowBatchTerminateRequested, audit.WorkflowBatchSignalRequested, audit.WorkflowBatchStopRequested,
			audit.ScheduleCreateRequested, audit.ScheduleUpdateRequested, audit.SchedulePauseRequested, audit.ScheduleResumeRequested,
			audit.ScheduleTriggerRequested, audit.ScheduleBackfillRequested, audit.ScheduleDeleteRequested, audit.ScheduleHeld, audit.ScheduleReleased,
			audit.SchedulesPauseRequested, audit.SchedulesResumeRequested, audit.SchedulesPauseFailed, audit.SchedulesResumeFailed,
			audit.AccessRefused, audit.AccessUnauthenticated, audit.TrailPurged,
		} {
			is.True(form.MatchString(a.String()))
			is.True(!seen[a.String()])
			seen[a.String()] = true
		}
		// These are a CHECK of the database.
		is.Equal(audit.Succeeded.String(), "succeeded")
		is.Equal(audit.Requested.String(), "requested")
		is.Equal(audit.Refused.String(), "refused")
		is.Equal(audit.Errored.String(), "failed")
	})
}

func TestFilter(t *testing.T) {
	t.Parallel()

	t.Run("Should choose by the words that entries have", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.NoErr(audit.Filter{}.Validate())
		is.NoErr(audit.Filter{Action: audit.TrailPurged.String(), ResourceType: "workflow_batch"}.Validate())
	})

	t.Run("Should name every word that no entry has", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var f *fault.Error
		is.True(errors.As(audit.Filter{Action: "user.made", ResourceType: "users"}.Validate(), &f))
		is.True(errors.Is(f, fault.ErrInvalid))
		is.Equal(len(f.Fields), 2)
		is.Equal(f.Fields[0].Pointer+" "+f.Fields[0].Rule, "action enum")
		is.Equal(f.Fields[1].Pointer+" "+f.Fields[1].Rule, "resource_type enum")
	})
}
