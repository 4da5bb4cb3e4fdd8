package operation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
)

var (
	t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	t1 = t0.Add(time.Hour)

	why = fault.ErrUnavailable.WithPublic("Temporal is away.").Because(errors.New("a secret"))
)

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("Should wait to be begun", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i, o := id.New[id.OperationKind](), id.New[id.OrgKind]()
		op := operation.New(i, o, operation.ProvisionOrganization, t0)
		is.Equal(op.Snapshot(), operation.Snapshot{
			ID: i, OrgID: o, Kind: operation.ProvisionOrganization, State: operation.Pending, CreatedAt: t0, UpdatedAt: t0,
		})
	})
}

func TestStateMachine(t *testing.T) {
	t.Parallel()

	for name, m := range map[string]struct {
		call   func(*operation.Operation) error
		change func(*operation.Snapshot)
	}{
		"Complete": {
			func(o *operation.Operation) error { return o.Complete(operation.NamespaceUsable, t1) },
			func(s *operation.Snapshot) {
				s.State, s.Step, s.Attempts, s.Failure, s.FailureCode = operation.Running, operation.NamespaceUsable, 0, "", ""
			},
		},
		"Stumble": {
			func(o *operation.Operation) error { return o.Stumble(4, why, t1) },
			func(s *operation.Snapshot) {
				s.State, s.Attempts, s.Failure, s.FailureCode = operation.Running, 4, why.Public, why.Code
			},
		},
		"Succeed": {
			func(o *operation.Operation) error { return o.Succeed(operation.OrganizationActivated, t1) },
			func(s *operation.Snapshot) {
				s.State, s.Step, s.Attempts, s.Failure, s.FailureCode, s.FinishedAt = operation.Succeeded, operation.OrganizationActivated, 0, "", "", t1
			},
		},
		"Fail": {
			func(o *operation.Operation) error { return o.Fail(why, t1) },
			func(s *operation.Snapshot) {
				s.State, s.Failure, s.FailureCode, s.FinishedAt = operation.Failed, why.Public, why.Code, t1
			},
		},
		"Cancel": {
			func(o *operation.Operation) error { return o.Cancel("why", t1) },
			func(s *operation.Snapshot) {
				s.State, s.Failure, s.FailureCode, s.FinishedAt = operation.Canceled, "why", "", t1
			},
		},
	} {
		for _, from := range []operation.State{operation.Pending, operation.Running, operation.Succeeded, operation.Failed, operation.Canceled} {
			t.Run("Should "+name+" from "+from.String()+" as stated", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				before := operation.Snapshot{State: from, Step: operation.NamespaceRegistered, Attempts: 3, Failure: "before", FailureCode: "before.code", CreatedAt: t0, UpdatedAt: t0}
				o := operation.Restore(before)
				err := m.call(&o)
				if from.Ended() {
					is.True(errors.Is(err, operation.ErrState)) // an end is an end
					is.Equal(o.Snapshot(), before)
					return
				}
				is.NoErr(err)
				want := before
				want.UpdatedAt = t1
				m.change(&want)
				is.Equal(o.Snapshot(), want)
			})
		}
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()

	for _, from := range []operation.State{operation.Pending, operation.Running, operation.Succeeded, operation.Failed, operation.Canceled} {
		t.Run("Should show how a delivery fares until the work begins, and no longer: "+from.String(), func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			before := operation.Snapshot{State: from, Step: operation.GraceEnded, Attempts: 3, Failure: "before", FailureCode: "before.code", CreatedAt: t0, UpdatedAt: t0}
			late, over := operation.Restore(before), operation.Restore(before)
			late.Undelivered(4, why, t1)
			over.Delivered(t1)
			wantLate, wantOver := before, before
			if from == operation.Pending {
				wantLate.Attempts, wantLate.Failure, wantLate.FailureCode, wantLate.UpdatedAt = 4, why.Public, why.Code, t1
				wantOver.Attempts, wantOver.Failure, wantOver.FailureCode, wantOver.UpdatedAt = 0, "", "", t1
			}
			is.Equal(late.Snapshot(), wantLate)
			is.Equal(over.Snapshot(), wantOver)
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()

	t.Run("Should read back what it wrote", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, ended := range map[operation.State]bool{
			operation.Pending: false, operation.Running: false, operation.Succeeded: true, operation.Failed: true, operation.Canceled: true,
		} {
			back, ok := operation.ParseState(s.String())
			is.True(ok)
			is.Equal(back, s)
			is.Equal(s.Ended(), ended)
		}
		_, ok := operation.ParseState("")
		is.True(!ok)

		for _, want := range []operation.Kind{operation.ProvisionOrganization, operation.DeleteOrganization} {
			k, ok := operation.ParseKind(want.String())
			is.True(ok)
			is.Equal(k, want)
		}
		_, ok = operation.ParseKind("nonsense")
		is.True(!ok)

		is.Equal(operation.ParseStep(operation.NamespaceUsable.String()), operation.NamespaceUsable)
		is.Equal(operation.ParseStep(""), operation.Step{})
	})
}

func TestAgain(t *testing.T) {
	t.Parallel()

	t.Run("Should make an operation of its own of another attempt, and only of a failure", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, from := range []operation.State{operation.Pending, operation.Running, operation.Succeeded, operation.Failed, operation.Canceled} {
			before := operation.Snapshot{
				ID: id.New[id.OperationKind](), OrgID: id.New[id.OrgKind](), Kind: operation.DeleteOrganization, State: from, Failure: "why", Attempts: 3,
			}
			o := operation.Restore(before)
			next := id.New[id.OperationKind]()
			again, err := o.Again(next, t1)
			is.Equal(o.Snapshot(), before)
			if from != operation.Failed && from != operation.Canceled {
				is.True(errors.Is(err, operation.ErrNotRetryable))
				continue
			}
			is.NoErr(err)
			is.Equal(again.Snapshot(), operation.Snapshot{
				ID: next, OrgID: before.OrgID, Kind: before.Kind, State: operation.Pending, RetryOf: before.ID, CreatedAt: t1, UpdatedAt: t1,
			})
		}
	})
}
