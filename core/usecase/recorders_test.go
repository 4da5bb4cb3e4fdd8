package usecase_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/pool"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// temporal is all ports of Temporal. It decides nothing: it notes the call, and
// returns what it was given or told.
type temporal struct {
	*spy
	starts     []workflow.Start
	starters   []authz.Actor
	joins      bool                 // whatever is started runs already
	came       map[uuid.UUID]string // by the requests that have started them
	status     workflow.Status      // of every execution
	does       schedule.Action      // what every execution is, and every schedule starts
	running    int64
	counted    string // the query that was counted by last
	schedules  []schedule.Schedule
	blueprints []namespace.Blueprint
	namespace  namespace.State // of every namespace, but those of states
	states     map[string]namespace.State
	listed     []namespace.Found
	batches    map[string]workflow.BatchStart
	batch      workflow.BatchState  // of every batch
	pollers    int                  // of every task queue
	runs       []string             // the task queues of what runs, one for each
	planned    []schedule.Schedule  // that there are already
	canary     namespace.Canary     // of every namespace
	started    map[id.Operation]int // deliveries
	deliver    func(context.Context, outbox.ProvisionPayload) error
}

func (d *temporal) Start(_ context.Context, namespace string, by authz.Actor, s workflow.Start) (workflow.Execution, error) {
	d.starts, d.starters = append(d.starts, s), append(d.starters, by)
	return workflow.Execution{ID: s.ID, RunID: "run", Joined: d.joins}, d.remote("Start " + namespace)
}

func (d *temporal) Describe(_ context.Context, namespace, workflowID, runID string) (workflow.Execution, error) {
	if runID == "" {
		runID = "latest"
	}
	return workflow.Execution{ID: workflowID, RunID: runID, Type: d.does.Type, TaskQueue: d.does.TaskQueue, Status: d.status}, d.remote("Describe " + namespace)
}

func (d *temporal) History(_ context.Context, namespace string, _ workflow.Target, _ page.TokenRequest) (workflow.Events, error) {
	return workflow.Events{}, d.remote("History " + namespace)
}

func (d *temporal) Reset(_ context.Context, namespace string, _ authz.Actor, _ workflow.Target, _ workflow.Reset) (string, error) {
	return "other", d.remote("Reset " + namespace)
}

func (d *temporal) Tasks(_ context.Context, namespace string, at workflow.Target) (workflow.Tasks, error) {
	return workflow.Tasks{RunID: at.RunID, Items: []workflow.Task{{EventID: 5}, {EventID: 6}}}, d.remote("Tasks " + namespace)
}

// List lists what runs in queues that the query does not leave out, one to a page.
func (d *temporal) List(_ context.Context, namespace, query string, _ page.TokenRequest) (out page.TokenPage[workflow.Execution], _ error) {
	for _, q := range d.runs {
		switch {
		case strings.Contains(query, ` AND TaskQueue != "`+q+`"`):
		case len(out.Items) > 0:
			out.Next = []byte("more")
		default:
			out.Items = []workflow.Execution{{TaskQueue: q}}
		}
	}
	return out, d.remote("List " + namespace)
}

func (d *temporal) Count(_ context.Context, namespace, query string, _ bool) (workflow.Count, error) {
	d.counted = query
	ran := map[workflow.Status]int64{workflow.Running: d.running, workflow.Completed: 1}
	return workflow.Count{Total: d.running, ByStatus: ran}, d.remote("Count " + namespace)
}

func (d *temporal) Signal(_ context.Context, namespace string, _ authz.Actor, _ workflow.Target, _ workflow.Message) error {
	return d.remote("Signal " + namespace)
}

func (d *temporal) Query(_ context.Context, namespace string, _ workflow.Target, _ workflow.Message) (json.RawMessage, error) {
	return nil, d.remote("Query " + namespace)
}

func (d *temporal) Update(_ context.Context, namespace string, _ authz.Actor, _ workflow.Target, id string, _ workflow.Message) (workflow.Update, error) {
	return workflow.Update{ID: id}, d.remote("Update " + namespace)
}

func (d *temporal) UpdateResult(_ context.Context, namespace string, _ workflow.Target, id string, _ time.Duration) (workflow.Update, error) {
	return workflow.Update{ID: id}, d.remote("UpdateResult " + namespace)
}

func (d *temporal) Cancel(_ context.Context, namespace string, _ authz.Actor, _ workflow.Target, _ string) error {
	return d.remote("Cancel " + namespace)
}

func (d *temporal) Terminate(_ context.Context, namespace string, _ authz.Actor, _ workflow.Target, _ string) error {
	return d.remote("Terminate " + namespace)
}

func (d *temporal) Result(_ context.Context, namespace, workflowID, runID string, _ time.Duration) (workflow.Result, error) {
	return workflow.Result{ID: workflowID, RunID: runID}, d.remote("Result " + namespace)
}

func (d *temporal) Ensure(_ context.Context, b namespace.Blueprint) error {
	d.blueprints = append(d.blueprints, b)
	return d.remote("Ensure " + b.Namespace)
}

func (d *temporal) State(_ context.Context, name string) (namespace.State, error) {
	err := d.remote("State " + name)
	if s, ok := d.states[name]; ok {
		return s, err
	}
	return d.namespace, err
}

func (d *temporal) Confined(_ context.Context, name string) error {
	return d.remote("Confined " + name)
}

func (d *temporal) Canary(_ context.Context, name string) (namespace.Canary, error) {
	return d.canary, d.remote("Canary " + name)
}

func (d *temporal) Pollers(_ context.Context, name, queue string) (int, error) {
	return d.pollers, d.remote("Pollers " + name + " " + queue)
}

// Reconcile makes the namespace as it is to be, but for what it can not repair.
func (d *temporal) Reconcile(_ context.Context, b namespace.Blueprint) error {
	err := d.remote("Reconcile " + b.Namespace)
	s, apart := d.states[b.Namespace]
	if !apart {
		s = d.namespace
	}
	s.Tagged, s.Retention, s.Description = true, b.RetentionOver(s.Retention), b.Description
	switch {
	case err != nil:
	case apart:
		d.states[b.Namespace] = s
	default:
		d.namespace = s
	}
	return err
}

func (d *temporal) EnsureSearchAttributes(_ context.Context, namespace string) error {
	return d.remote("EnsureSearchAttributes " + namespace)
}

func (d *temporal) Probe(_ context.Context, namespace string) error {
	return d.remote("Probe " + namespace)
}

func (d *temporal) ForgetProbe(_ context.Context, namespace string) error {
	return d.remote("ForgetProbe " + namespace)
}

func (d *temporal) Delete(_ context.Context, namespace string, owner id.Org) error {
	return d.remote("Delete " + namespace + " of " + owner.String())
}

func (d *temporal) Discard(_ context.Context, namespace, identifier string) error {
	return d.remote("Discard " + namespace + " " + identifier)
}

func (d *temporal) Gone(_ context.Context, namespace string, owner id.Org) error {
	return d.remote("Gone " + namespace + " of " + owner.String())
}

func (d *temporal) ProvisioningEnded(_ context.Context, o id.Org) error {
	return d.remote("ProvisioningEnded " + o.String())
}

func (d *temporal) ReviewDeletion(_ context.Context, p outbox.DeletionPayload) error {
	return d.remote("ReviewDeletion " + p.Organization.String())
}

func (d *temporal) ReviewSchedules(_ context.Context, p outbox.SchedulesPayload) error {
	return d.remote("ReviewSchedules " + p.Organization.String())
}

func (d *temporal) ReviewNamespace(_ context.Context, p outbox.NamespacePayload) error {
	return d.remote("ReviewNamespace " + p.Organization.String())
}

// All lists what a test has put there, one of them a page.
func (d *temporal) All(_ context.Context, p page.TokenRequest) (page.TokenPage[namespace.Found], error) {
	at, _ := strconv.Atoi(string(p.Token))
	out := page.TokenPage[namespace.Found]{Items: d.listed[min(at, len(d.listed)):min(at+1, len(d.listed))]}
	if at+1 < len(d.listed) {
		out.Next = []byte(strconv.Itoa(at + 1))
	}
	return out, d.remote("All")
}

func (d *temporal) ProvisionOrganization(ctx context.Context, p outbox.ProvisionPayload) error {
	err := d.remote("ProvisionOrganization")
	d.mu.Lock()
	if d.started == nil {
		d.started = map[id.Operation]int{}
	}
	d.started[p.Operation]++
	deliver := d.deliver
	d.mu.Unlock()
	if err == nil && deliver != nil {
		err = deliver(ctx, p)
	}
	return err
}

// What follows is for the few tests in a bubble of synctest, where minutes cost
// nothing and no database can be reached. Each is one answer, not a store: any
// other method of its port is missing.

// pass lets time go by in a bubble.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // the time is the bubble's

// wall is the clock of a bubble.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

// answer is what a stub returns, until it is told otherwise.
type answer[T any] struct {
	mu    sync.Mutex
	value T
	asked int
}

func (a *answer[T]) get() T {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.value
}

func (a *answer[T]) set(v T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.value = v
}

// activeOrgs answers which organizations are active.
type activeOrgs struct {
	ports.Platform
	answer[[]org.Org]
}

func (a *activeOrgs) ActiveOrgs(context.Context) ([]org.Org, error) { return a.get(), nil }

// alone is where nobody is a member of a pool, and no change is told of.
type alone struct{}

func (alone) Hold(context.Context, string, string, time.Duration) error { return nil }

func (alone) Leave(context.Context, string, string) error { return nil }

func (alone) Leases(context.Context) ([]pool.Lease, error) { return nil, nil }

func (alone) All(context.Context) (map[string][]string, error) { return nil, nil }

func (alone) Wait(ctx context.Context, limit time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.NewTimer(limit).C:
		return nil
	}
}

// counting counts how often the database is asked.
type counting struct {
	activeOrgs
	alone
	reads, holds atomic.Int64
}

func (c *counting) ActiveOrgs(context.Context) ([]org.Org, error) {
	c.reads.Add(1)
	return nil, nil
}

func (c *counting) Hold(context.Context, string, string, time.Duration) error {
	c.holds.Add(1)
	return nil
}

// oneOperation answers how an operation stands.
type oneOperation struct {
	ports.Reads
	answer[operation.Operation]
}

func (o *oneOperation) Operation(context.Context, id.Operation) (operation.Operation, error) {
	return o.get(), nil
}

// onlyReads is a store of those reads, whatever the organization.
type onlyReads struct {
	ports.Store
	reads ports.Reads
}

func (s onlyReads) Reads(id.Org) ports.Reads { return s.reads }

// knownKeys answers which signing keys there are, or hangs.
type knownKeys struct {
	ports.SigningKeys
	keys  []signing.Key
	hangs bool
}

func (k *knownKeys) List(ctx context.Context) ([]signing.Key, error) {
	if k.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return k.keys, nil
}

// noOperations is a store without an operation.
type noOperations struct{ ports.Store }

func (noOperations) WriteTx(context.Context, id.Org, func(context.Context, ports.Tx) error) error {
	return fault.ErrNotFound
}

// maxClaims stops a relay that spins: as long as it did, no time would go by in
// its bubble, and nobody would find it out.
const maxClaims = 1000

// toldOutbox hands out each message it was told once, and notes what came of it.
type toldOutbox struct {
	mu      sync.Mutex
	next    []outbox.Message
	claims  int
	claim   error // of every claim
	wait    error // of every wait
	done    []id.Message
	retried []id.Message
}

func (o *toldOutbox) Claim(ctx context.Context, _ time.Time, _ int, _ time.Duration) ([]outbox.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claims++
	if o.claims > maxClaims {
		o.mu.Unlock()
		<-ctx.Done()
		o.mu.Lock()
		return nil, ctx.Err()
	}
	if o.claim != nil {
		return nil, o.claim
	}
	next := o.next
	o.next = nil
	return next, nil
}

func (o *toldOutbox) Done(_ context.Context, m id.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = append(o.done, m)
	return nil
}

func (o *toldOutbox) Retry(_ context.Context, m id.Message, _ time.Time, _ string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retried = append(o.retried, m)
	return nil
}

func (o *toldOutbox) Wait(ctx context.Context, limit time.Duration) error {
	if o.wait != nil {
		return o.wait
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(limit): //nolint:forbidigo // the time is the bubble's
		return nil
	}
}
