package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Dispatcher runs tenants' workflows. The namespace is that of the
// organization's row, and the adapter's credential is good for it alone. Whoever
// acts is recorded in the history of the execution.
type Dispatcher interface {
	// Start starts a workflow and returns its first description. The actor is
	// recorded on the execution. One that runs under the id and is used instead gets
	// the signal, if there is one, and is described as it is. A claimed request has
	// one effect, however often it is made, for as long as the run that it has
	// started or used is the latest of the id. It fails with
	// workflow.ErrAlreadyStarted, and with fault.ErrInvalid for a search attribute
	// that the namespace does not have.
	Start(ctx context.Context, namespace string, by authz.Actor, s workflow.Start) (workflow.Execution, error)
	// Dispatched finds out what has come of a request whose answer was lost: it returns
	// it with its outcome and run, whatever has become of the workflow's id since. It
	// fails with workflow.ErrNotFound when the request has neither started nor joined a
	// run that Temporal remembers. A run that is not the latest of its id may be missed
	// for a moment after it was started.
	Dispatched(ctx context.Context, namespace string, d workflow.Dispatch) (workflow.Dispatch, error)
	// Describe returns the run, or the latest when runID is "", with its details. It
	// fails with workflow.ErrNotFound.
	Describe(ctx context.Context, namespace, workflowID, runID string) (workflow.Execution, error)
	// History returns events of the run, or of the latest, which its token then stays
	// with. It fails with workflow.ErrNotFound.
	History(ctx context.Context, namespace string, at workflow.Target, p page.TokenRequest) (workflow.Events, error)
	// Tasks sums up the run, or the latest. What has not ended is as it stands now. It
	// fails with workflow.ErrNotFound and workflow.ErrHistoryTooLong.
	Tasks(ctx context.Context, namespace string, at workflow.Target) (workflow.Tasks, error)
	// List returns a page of the executions that a query chooses; "" chooses all. It
	// lags behind what happens by a moment. It fails with workflow.ErrQuery.
	List(ctx context.Context, namespace, query string, p page.TokenRequest) (page.TokenPage[workflow.Execution], error)
	// Count counts the executions that List would return. It fails with
	// workflow.ErrQuery.
	Count(ctx context.Context, namespace, query string, byStatus bool) (workflow.Count, error)
	// Signal sends a signal to the run, or the latest when there is no run id. That
	// of one claimed request reaches a run once. It fails with workflow.ErrNotFound
	// and, unless that signal was sent before, workflow.ErrClosed.
	Signal(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, s workflow.Message) error
	// Query asks the code of the run, and returns its answer as JSON; nil is none.
	// It fails with workflow.ErrNotFound and ErrQueryFailed, with ErrNoWorker when no
	// worker has polled for the run's work of late, and with ErrNoAnswer when one has.
	Query(ctx context.Context, namespace string, at workflow.Target, m workflow.Message) (json.RawMessage, error)
	// Update sends an update and returns when the run has taken or refused it. That
	// of one id reaches a run once. It fails with workflow.ErrNotFound, ErrClosed,
	// ErrNoWorker and ErrNoAnswer, as Query does: then the run may take it yet.
	Update(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, id string, m workflow.Message) (workflow.Update, error)
	// UpdateResult waits up to wait for the answer to an update that was taken, and
	// returns how it stands. It fails with workflow.ErrNotFound.
	UpdateResult(ctx context.Context, namespace string, at workflow.Target, id string, wait time.Duration) (workflow.Update, error)
	// Cancel asks the run to cancel what it does; when and how is up to its own
	// code. That it was asked before, or has ended, is success. It fails with
	// workflow.ErrNotFound.
	Cancel(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, reason string) error
	// Terminate ends the run at once. That it was terminated before is success. It
	// fails with workflow.ErrNotFound, and workflow.ErrClosed for one that ended
	// otherwise.
	Terminate(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, reason string) error
	// Reset ends the run, if it goes on, and has another go on from a place in its
	// history, whose id it returns. What came to the run since, signals and updates,
	// comes to the new one. That of one claimed request makes one run. It fails with
	// workflow.ErrNotFound, workflow.ErrNotResettable, workflow.ErrResetEvent and
	// workflow.ErrHistoryTooLong.
	Reset(ctx context.Context, namespace string, by authz.Actor, at workflow.Target, r workflow.Reset) (string, error)
	// Result waits up to wait for the execution to close and returns how it
	// ended, or its running state. It follows continued runs when runID is "".
	// It never waits longer, even when the server loses the notification. Once the
	// execution was seen running, a fault that passes ends no wait. It fails with
	// workflow.ErrNotFound.
	Result(ctx context.Context, namespace, workflowID, runID string, wait time.Duration) (workflow.Result, error)
}

// Orchestrator runs Bulkhead's own durable work in the system namespace.
type Orchestrator interface {
	// ProvisionOrganization starts the provisioning of an organization. That it
	// was started before is success: delivery may be repeated.
	ProvisionOrganization(ctx context.Context, p outbox.ProvisionPayload) error
	// ProvisioningEnded succeeds when no provisioning of the organization runs, and
	// fails with fault.ErrUnavailable as long as one does.
	ProvisioningEnded(ctx context.Context, o id.Org) error
	// ReviewDeletion starts the deletion of an organization, or makes the one that
	// runs look at the organization again. One that finds nothing to do ends, so
	// that delivery may be repeated.
	ReviewDeletion(ctx context.Context, p outbox.DeletionPayload) error
	// ReviewSchedules does the same with who pauses the organization's schedules and
	// lets them go on.
	ReviewSchedules(ctx context.Context, p outbox.SchedulesPayload) error
	// ReviewNamespace does the same with who makes the organization's namespace as it
	// must be.
	ReviewNamespace(ctx context.Context, p outbox.NamespacePayload) error
}

// ErrNamespaceForeign is returned for a namespace that exists and is not the
// organization's. Repeating does not mend it.
var ErrNamespaceForeign = fault.Define(fault.Conflict, "namespace.foreign",
	"The Temporal namespace exists and does not belong to this organization.")

// ErrNamespaceUnregistered is returned for a namespace that is to be adopted and is not
// there, or can not be used.
var ErrNamespaceUnregistered = fault.Define(fault.Conflict, "namespace.unregistered",
	"There is no registered Temporal namespace of this name that could be adopted.")

// ErrNamespaceReclaiming is returned as long as Temporal still removes what was
// in a deleted namespace. Patience mends it.
var ErrNamespaceReclaiming = fault.Define(fault.Unavailable, "namespace.reclaiming",
	"Temporal is still removing what was in the namespace.")

// ErrTokenRefused is returned when Temporal does not accept a token on its own namespace.
var ErrTokenRefused = fault.Define(fault.Unavailable, "namespace.token_refused",
	"Temporal does not accept the organization's token on its namespace.")

// ErrTokenNotConfined is returned when Temporal accepts a token on another namespace.
var ErrTokenNotConfined = fault.Define(fault.Conflict, "namespace.token_not_confined",
	"Temporal accepts the organization's token on another namespace.")

// ErrCanaryRefused is returned when a namespace takes no workflow with the search
// attributes that each start carries.
var ErrCanaryRefused = fault.Define(fault.Unavailable, "namespace.canary_refused",
	"Temporal takes no workflow with Bulkhead's search attributes: one is missing, or not known to its frontend yet.")

// ErrCanaryUnlike is returned when a workflow is not read as it was started.
var ErrCanaryUnlike = fault.Define(fault.Conflict, "namespace.canary_unlike",
	"Temporal does not show a workflow with the search attributes that it was started with.")

// Namespaces administers tenants' namespaces. Every method may be repeated.
type Namespaces interface {
	// Ensure registers the namespace. That it exists with our owner tag is
	// success. It fails with ErrNamespaceForeign when it exists otherwise. One that is
	// adopted must exist: without another's tag it gets ours, and is made like its
	// blueprint but for its search attributes. It fails with ErrNamespaceUnregistered
	// when it is not there.
	Ensure(ctx context.Context, b namespace.Blueprint) error
	// State returns how the namespace of a name is, whoever's it is. That there is
	// none is no failure.
	State(ctx context.Context, name string) (namespace.State, error)
	// All lists all namespaces, of whomever, but Temporal's own, Bulkhead's own, and
	// those that are being deleted. Their search attributes are left out. A page may
	// have fewer than were asked for, or none, and yet not be the last.
	All(ctx context.Context, p page.TokenRequest) (page.TokenPage[namespace.Found], error)
	// Reconcile makes the namespace like its blueprint in all that can be repaired, and
	// returns when that is seen. It fails with ErrNamespaceForeign, and touches
	// nothing, when the namespace is not the owner's or not registered.
	Reconcile(ctx context.Context, b namespace.Blueprint) error
	// EnsureSearchAttributes adds the search attributes that starts carry. It
	// fails with ErrNamespaceForeign when one exists with another type.
	EnsureSearchAttributes(ctx context.Context, namespace string) error
	// Probe succeeds when a workflow that carries all search attributes can be
	// started in the namespace: it starts one, which ends by itself within minutes if
	// nobody forgets it. It fails with fault.ErrUnavailable as long as that is not so.
	Probe(ctx context.Context, namespace string) error
	// ForgetProbe removes what Probe has started, as soon as it is listed among the
	// namespace's workflows, which can take a second or two. Should it fail, nothing else
	// is wrong: the probe stays among them until Temporal forgets it.
	ForgetProbe(ctx context.Context, namespace string) error
	// Canary takes the way of an organization's work, with a data-plane token: it starts
	// a workflow that carries all search attributes, reads it, completes it as a worker
	// would, and finds it by its attributes. It returns how far that came, with an error,
	// too, within ctx's time, and leaves nothing behind. It fails with ErrCanaryRefused
	// and ErrCanaryUnlike.
	Canary(ctx context.Context, name string) (namespace.Canary, error)
	// Confined succeeds when Temporal accepts a data-plane token on its namespace and
	// refuses it on another one. It fails with ErrTokenRefused and ErrTokenNotConfined.
	Confined(ctx context.Context, namespace string) error
	// Pollers counts the workers that poll a task queue for workflow tasks.
	Pollers(ctx context.Context, namespace, queue string) (int, error)
	// Delete deletes the owner's namespace with all that runs in it. That there is
	// none of the name is success. It fails with ErrNamespaceForeign, and touches
	// nothing, when the namespace is not the owner's.
	Delete(ctx context.Context, namespace string, owner id.Org) error
	// Discard deletes the namespace that has the name and the identifier, with all that
	// runs in it, whoever's it is but the system's. That there is none of the name is
	// success. It fails with ErrNamespaceForeign, and touches nothing, when the
	// identifier is another one's.
	Discard(ctx context.Context, namespace, identifier string) error
	// Gone succeeds when nothing of the namespace is left, under whichever name Temporal
	// removes it, nor of any other of the owner's that is being removed, and fails with
	// ErrNamespaceReclaiming as long as there is. Another one that has the owner's tag
	// and is not being removed is an orphan, which nobody is to wait for.
	Gone(ctx context.Context, namespace string, owner id.Org) error
}
