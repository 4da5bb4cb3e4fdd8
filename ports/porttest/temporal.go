package porttest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// The workflow types that serve the suite of Dispatcher.
const (
	EchoType    = "Echo"    // returns its argument, byte for byte
	NothingType = "Nothing" // returns nothing
	FailType    = "Fail"    // fails with the message FailMessage and the type FailureType
	WaitType    = "Wait"    // returns "released" once it is released, and stops when it is canceled
	// CollectType returns what the signals SignalName brought, in order, once one
	// brings null. To the query QueryName it answers its argument and how many came.
	// To the update UpdateName it answers its argument when the next signal comes; it
	// refuses null with the type FailureType.
	CollectType  = "Collect"
	ContinueType = "Continue" // continues as new once, then returns "continued"
	RetryType    = "Retry"    // fails as FailType does at first, but may be run again, and then returns "again"

	// ChoresType has ChoreType done to its argument, which fails at its first attempt
	// and returns the argument at its second, lets a timer fire, and has a child of
	// NothingType run under its own id and "/child". It then asks the queue of its
	// second argument for ChoreType, and returns when it is released.
	ChoresType = "Chores"
	ChoreType  = "Chore"

	FailMessage = "the dice fell badly"
	FailureType = "BadLuck"
	SignalName  = "collect"
	QueryName   = "count"
	UpdateName  = "echo"
)

// DispatcherSetup is an implementation under test, with the world it needs.
type DispatcherSetup struct {
	Dispatcher ports.Dispatcher
	Namespace  string // a tenant's
	Other      string // another tenant's, in which nothing was ever started
	Absent     string // nobody's
	TaskQueue  string // served, in Namespace, with the workflow types above
	Unserved   string // a task queue that nobody serves
	// Attributes are values of search attributes that are registered in Namespace,
	// one of each type.
	Attributes workflow.Attributes
	// Release lets an execution of WaitType complete.
	Release func(t *testing.T, workflowID string)
	// Recorded returns how often the history of the latest run names the actor.
	Recorded func(t *testing.T, workflowID string, by authz.Actor) int
}

// waitLimit is how long a suite waits for what must happen.
const waitLimit = 20 * time.Second

// slack is what a wait of Result may take beyond its length on a busy machine.
const slack = 2 * time.Second

func aMember() authz.Actor {
	return authz.NewKeyActor(authz.KeyHolder{
		Org: id.New[id.OrgKind](), User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Member,
	})
}

// Dispatcher is the contract of ports.Dispatcher.
func Dispatcher(t *testing.T, s DispatcherSetup) {
	by := aMember()
	start := func(t *testing.T, kind string, input ...json.RawMessage) workflow.Execution {
		t.Helper()
		e, err := s.Dispatcher.Start(t.Context(), s.Namespace, by, workflow.Start{
			ID: "suite/" + uuid.NewString(), Type: kind, TaskQueue: s.TaskQueue, Input: input,
		})
		if err != nil {
			t.Fatalf("start %s: %v", kind, err)
		}
		return e
	}
	result := func(t *testing.T, workflowID, runID string, wait time.Duration) workflow.Result {
		t.Helper()
		r, err := s.Dispatcher.Result(t.Context(), s.Namespace, workflowID, runID, wait)
		if err != nil {
			t.Fatalf("result of %s: %v", workflowID, err)
		}
		return r
	}

	t.Run("Should describe what it started", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		is.True(e.RunID != "")
		is.Equal(e.Type, WaitType)
		is.Equal(e.TaskQueue, s.TaskQueue)
		is.Equal(e.Status, workflow.Running)
		is.True(e.ClosedAt.IsZero())
		for _, run := range []string{"", e.RunID} {
			d, err := s.Dispatcher.Describe(t.Context(), s.Namespace, e.ID, run)
			is.NoErr(err)
			is.Equal(d.RunID, e.RunID)
			is.Equal(d.Type, e.Type)
			is.Equal(d.TaskQueue, e.TaskQueue)
			is.Equal(d.Status, workflow.Running)
			is.True(d.StartedAt.Sub(e.StartedAt).Abs() < slack) // two clocks, about the same
			is.True(d.Events >= e.Events)
		}
		s.Release(t, e.ID)
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		d, err := s.Dispatcher.Describe(t.Context(), s.Namespace, e.ID, "")
		is.NoErr(err)
		is.Equal(d.Status, workflow.Completed)
		is.True(!d.ClosedAt.Before(d.StartedAt))
	})

	t.Run("Should pass input and output on byte for byte", func(t *testing.T) {
		for _, document := range []string{
			`{"n":1152921504606846977,"f":1.10}`, // 2^60+1 is no float64, and 1.10 is not 1.1
			`[1,"é",null]`, `"text"`, `0`, `false`,
		} {
			is := is.New(t)
			e := start(t, EchoType, json.RawMessage(document))
			r := result(t, e.ID, "", waitLimit)
			is.Equal(r.Status, workflow.Completed)
			is.Equal(string(r.Output), document)
			is.Equal(r.RunID, e.RunID)
			is.Equal(r.Failure, nil)
		}
	})

	t.Run("Should return no output for nothing and for null", func(t *testing.T) {
		is := is.New(t)
		for _, e := range []workflow.Execution{start(t, NothingType), start(t, EchoType, json.RawMessage("null"))} {
			r := result(t, e.ID, e.RunID, waitLimit)
			is.Equal(r.Status, workflow.Completed)
			is.True(r.Output == nil)
		}
	})

	t.Run("Should refuse an id that is running or has run", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		again := workflow.Start{ID: e.ID, Type: EchoType, TaskQueue: s.TaskQueue}
		_, err := s.Dispatcher.Start(t.Context(), s.Namespace, by, again)
		is.True(errors.Is(err, workflow.ErrAlreadyStarted)) // running
		s.Release(t, e.ID)
		is.Equal(result(t, e.ID, "", waitLimit).Status, workflow.Completed)
		_, err = s.Dispatcher.Start(t.Context(), s.Namespace, by, again)
		is.True(errors.Is(err, workflow.ErrAlreadyStarted)) // has run
	})

	t.Run("Should refuse to start for nobody", func(t *testing.T) {
		is := is.New(t)
		_, err := s.Dispatcher.Start(t.Context(), s.Namespace, authz.Actor{}, workflow.Start{ID: uuid.NewString(), Type: EchoType, TaskQueue: s.TaskQueue})
		is.True(fault.IsKind(err, fault.Unauthenticated))
	})

	t.Run("Should say why an execution failed", func(t *testing.T) {
		is := is.New(t)
		r := result(t, start(t, FailType).ID, "", waitLimit)
		is.Equal(r.Status, workflow.Failed)
		is.True(r.Output == nil)
		is.Equal(*r.Failure, workflow.Failure{Message: FailMessage, Type: FailureType})
	})

	t.Run("Should wait no longer than asked for an execution that runs on", func(t *testing.T) {
		e := start(t, WaitType)
		defer s.Release(t, e.ID)
		for _, wait := range []time.Duration{0, 100 * time.Millisecond, 2500 * time.Millisecond} {
			is := is.New(t)
			asked, late := passed(t, wait), passed(t, wait+slack)
			r := result(t, e.ID, "", wait)
			is.Equal(r.Status, workflow.Running)
			is.Equal(r.RunID, e.RunID)
			is.True(r.Output == nil && r.Failure == nil)
			is.True(asked()) // it does wait
			is.True(!late()) // and not longer
		}
	})

	t.Run("Should return as soon as the execution closes", func(t *testing.T) {
		is := is.New(t)
		e := start(t, WaitType)
		type answer struct {
			r   workflow.Result
			err error
		}
		answers := make(chan answer, 1)
		late := passed(t, waitLimit/2)
		go func() {
			r, err := s.Dispatcher.Result(t.Context(), s.Namespace, e.ID, "", waitLimit)
			answers <- answer{r, err}
		}()
		s.Release(t, e.ID)
		a := <-answers
		is.NoErr(a.err)
		is.Equal(a.r.Status, workflow.Completed)
		is.Equal(string(a.r.Output), `"released"`)
		is.True(!late())
	})

	t.Run("Should follow continued runs unless asked for one of them", func(t *testing.T) {
		is := is.New(t)
		e := start(t, ContinueType)
		r := result(t, e.ID, "", waitLimit)
		is.Equal(r.Status, workflow.Completed)
		is.Equal(string(r.Output), `"continued"`)
		is.True(r.RunID != e.RunID)
		first := result(t, e.ID, e.RunID, waitLimit)
		is.Equal(first.Status, workflow.ContinuedAsNew)
		is.Equal(first.RunID, e.RunID)
	})

	t.Run("Should find nothing of what is absent or another's", func(t *testing.T) {
		e := start(t, NothingType)
		for name, at := range map[string][3]string{
			"unknown id":        {s.Namespace, "suite/" + uuid.NewString(), ""},
			"unknown run":       {s.Namespace, e.ID, uuid.NewString()},
			"impossible run":    {s.Namespace, e.ID, "not a run"},
			"other namespace":   {s.Other, e.ID, ""},
			"other, with run":   {s.Other, e.ID, e.RunID},
			"unknown namespace": {s.Absent, e.ID, ""},
		} {
			t.Run("Should not find an "+name, func(t *testing.T) {
				is := is.New(t)
				_, err := s.Dispatcher.Describe(t.Context(), at[0], at[1], at[2])
				is.True(errors.Is(err, workflow.ErrNotFound))
				_, err = s.Dispatcher.Result(t.Context(), at[0], at[1], at[2], 0)
				is.True(errors.Is(err, workflow.ErrNotFound))
				_, err = s.Dispatcher.Result(t.Context(), at[0], at[1], at[2], waitLimit)
				is.True(errors.Is(err, workflow.ErrNotFound))
			})
		}
	})

	t.Run("Should start as it is asked to", func(t *testing.T) { starting(t, s, by, result) })
	t.Run("Should start as it is asked to", func(t *testing.T) { dispatched(t, s, by, result) })

	t.Run("Should show what executions have done", func(t *testing.T) { remembering(t, s, start, result) })

	t.Run("Should have executions go on from an earlier place", func(t *testing.T) { returning(t, s, by, start, result) })

	t.Run("Should let executions be controlled", func(t *testing.T) { control(t, s, by, start, result) })

	t.Run("Should find executions", func(t *testing.T) { listing(t, s) })

	t.Run("Should talk to executions", func(t *testing.T) { talking(t, s, by, start, result) })
}

// OrchestratorSetup is an implementation under test, with the world it needs.
type OrchestratorSetup struct {
	Orchestrator ports.Orchestrator
	// Runs returns how often the organization's provisioning was started.
	Runs func(t *testing.T, org id.Org) int
	// End ends the execution of an organization that runs, as a failure would; kind
	// is "org-provision", "org-delete" or "org-schedules".
	End func(t *testing.T, kind string, org id.Org)
	// Reviews returns how often the execution of a kind that was started last was told
	// to look.
	Reviews func(t *testing.T, kind string, org id.Org) int
}

// Orchestrator is the contract of ports.Orchestrator.
func Orchestrator(t *testing.T, s OrchestratorSetup) {
	t.Run("Should start one provisioning however often it is delivered", func(t *testing.T) {
		is := is.New(t)
		p := outbox.ProvisionPayload{Organization: id.New[id.OrgKind](), Operation: id.New[id.OperationKind]()}
		for range 3 {
			is.NoErr(untilAvailable(t, func() error { return s.Orchestrator.ProvisionOrganization(t.Context(), p) }))
		}
		is.Equal(s.Runs(t, p.Organization), 1)
	})

	t.Run("Should not take the attempt that fails for the one that was asked for", func(t *testing.T) {
		is := is.New(t)
		p := outbox.ProvisionPayload{Organization: id.New[id.OrgKind](), Operation: id.New[id.OperationKind]()}
		is.NoErr(untilAvailable(t, func() error { return s.Orchestrator.ProvisionOrganization(t.Context(), p) }))
		again := outbox.ProvisionPayload{Organization: p.Organization, Operation: id.New[id.OperationKind]()}
		is.True(fault.IsKind(s.Orchestrator.ProvisionOrganization(t.Context(), again), fault.Unavailable)) // the first has not closed yet
		s.End(t, "org-provision", p.Organization)
		for range 2 {
			is.NoErr(untilAvailable(t, func() error { return s.Orchestrator.ProvisionOrganization(t.Context(), again) }))
		}
		is.Equal(s.Runs(t, p.Organization), 2)
	})

	t.Run("Should know when a provisioning has ended", func(t *testing.T) {
		is := is.New(t)
		p := outbox.ProvisionPayload{Organization: id.New[id.OrgKind](), Operation: id.New[id.OperationKind]()}
		is.NoErr(untilAvailable(t, func() error { return s.Orchestrator.ProvisioningEnded(t.Context(), p.Organization) })) // never begun
		is.NoErr(untilAvailable(t, func() error { return s.Orchestrator.ProvisionOrganization(t.Context(), p) }))
		is.True(fault.IsKind(s.Orchestrator.ProvisioningEnded(t.Context(), p.Organization), fault.Unavailable))
		s.End(t, "org-provision", p.Organization)
		is.NoErr(s.Orchestrator.ProvisioningEnded(t.Context(), p.Organization))
	})

	for kind, review := range map[string]func(o id.Org) error{
		"org-delete": func(o id.Org) error {
			return s.Orchestrator.ReviewDeletion(t.Context(), outbox.DeletionPayload{Organization: o})
		},
		"org-schedules": func(o id.Org) error {
			return s.Orchestrator.ReviewSchedules(t.Context(), outbox.SchedulesPayload{Organization: o})
		},
	} {
		t.Run("Should have one "+kind+" look again each time that it is told to, and start one when none runs", func(t *testing.T) {
			is := is.New(t)
			o := id.New[id.OrgKind]()
			for n := 1; n <= 3; n++ {
				is.NoErr(untilAvailable(t, func() error { return review(o) }))
				is.Equal(s.Reviews(t, kind, o), n)
			}
			s.End(t, kind, o)
			is.NoErr(review(o))
			is.Equal(s.Reviews(t, kind, o), 1) // another execution
		})
	}
}

// passed returns a function that tells whether d has gone by since. It reads the
// clock: a timer may be late on a busy machine.
func passed(t *testing.T, d time.Duration) func() bool {
	t.Helper()
	since := time.Now()                                  //nolint:forbidigo // it measures how long somebody waits
	return func() bool { return time.Since(since) >= d } //nolint:forbidigo // as above
}

// reclaimLimit is how long a suite waits for Temporal to remove a namespace, which
// it does with pauses of its own.
const reclaimLimit = 3 * time.Minute

// untilAvailable repeats what may be unavailable for a while.
func untilAvailable(t *testing.T, do func() error) error {
	t.Helper()
	return untilWithin(t, waitLimit, do)
}

func untilWithin(t *testing.T, limit time.Duration, do func() error) error {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := passed(t, limit)
	for {
		err := do()
		if !fault.IsKind(err, fault.Unavailable) || late() {
			return err
		}
		<-tick.C
	}
}
