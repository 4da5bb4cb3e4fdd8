package httpapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/pool"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// memory is as much of the ports as one request needs. It keeps no rule but the
// one that this package's tests are about: what is foreign is absent. That the
// real adapters keep all of them is what porttest shows.
type memory struct {
	mu          sync.Mutex
	orgs        []org.Org
	users       []user.User
	roles       []role.Role
	keys        []apikey.Key
	operations  []operation.Operation
	trail       []audit.Record // of one organization
	credentials map[apikey.Versioned]apikey.Credential

	written []audit.Entry // by every transaction
	tallies []tallied     // of requests, for the metrics

	trailFailure error // what reading on in a trail fails with

	failure error         // what authentication fails with
	panics  bool          // whether it panics
	asked   chan struct{} // gets a value at each read of an operation

	writeFailure error  // what every transaction fails with
	writePanics  bool   // whether every transaction panics
	writing      func() // called in the middle of every transaction

	used       map[usage.Slot]usage.Counts
	usageAsked usage.Filter // the last

	started   workflow.Start // the last start
	described [3]string      // namespace, workflow id and run id of the last description

	listed     string // what was last listed or counted
	controlled string // what was last done to an execution

	answerFailure error // what waiting for the answer to an update fails with

	planned scheduling
	batched batching

	repaired bool // Acme's namespace
}

type fixedClock time.Time

func (c fixedClock) Now() time.Time { return time.Time(c) }

func (m *memory) Find(ctx context.Context, candidates []apikey.Versioned) (apikey.Credential, error) {
	if m.panics {
		panic("a fault in the cache")
	}
	if err := ctx.Err(); err != nil {
		return apikey.Credential{}, err
	}
	if m.failure != nil {
		return apikey.Credential{}, m.failure
	}
	for _, c := range candidates {
		if found, ok := m.credentials[c]; ok {
			return found, nil
		}
	}
	return apikey.Credential{}, fault.ErrNotFound
}

func (m *memory) Reads(o id.Org) ports.Reads { return reads{m, o} }

func (m *memory) WriteTx(ctx context.Context, o id.Org, fn func(context.Context, ports.Tx) error) error {
	w := writes{m, o}
	switch {
	case m.writePanics:
		panic("a fault in the store")
	case m.writeFailure != nil:
		return m.writeFailure
	case m.writing != nil:
		m.writing()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn(ctx, ports.Tx{
		Orgs: orgWrites{w}, Users: userWrites{w}, Roles: roleWrites{w}, APIKeys: keyWrites{w}, Operations: operationWrites{w},
		Schedules: scheduleWrites{}, Dispatches: dispatchWrites{}, Audit: auditWrites{w}, Outbox: outboxWrites{},
	})
}

// first returns the first of the items that is wanted.
func first[T any](m *memory, items *[]T, wanted func(T) bool) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range *items {
		if wanted(v) {
			return v, nil
		}
	}
	var zero T
	return zero, fault.ErrNotFound
}

// pageOf returns the items after the one that the request names.
func pageOf[T any](m *memory, items *[]T, r page.Request, wanted func(T) bool, key func(T) uuid.UUID) page.Page[T] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []T
	for _, v := range *items {
		if k := key(v); wanted(v) && k.String() > r.After.String() {
			rows = append(rows, v)
		}
	}
	return page.Cut(rows, r.Limit, key)
}

func add[T any](m *memory, items *[]T, v T) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	*items = append(*items, v)
	return nil
}

// change stores what fn makes of the first of the items that is wanted.
func change[T any](m *memory, items *[]T, wanted func(T) bool, fn func(*T) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range *items {
		if !wanted(v) {
			continue
		}
		if err := fn(&v); err != nil {
			return err
		}
		(*items)[i] = v
		return nil
	}
	return fault.ErrNotFound
}

type reads struct {
	*memory
	org id.Org
}

func (r reads) Org(context.Context) (org.Org, error) {
	return first(r.memory, &r.orgs, func(o org.Org) bool { return o.ID() == r.org })
}

func (r reads) OrgCounts(context.Context) (org.Counts, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var c org.Counts
	for _, u := range r.users {
		if u.Snapshot().OrgID == r.org {
			c.Members++
		}
	}
	for _, k := range r.keys {
		if k.Snapshot().OrgID == r.org {
			c.APIKeys++
		}
	}
	return c, nil
}

func (r reads) Operations(_ context.Context, p page.Request) (page.Page[operation.Operation], error) {
	return pageOf(r.memory, &r.operations, p, func(v operation.Operation) bool { return v.Snapshot().OrgID == r.org },
		func(v operation.Operation) uuid.UUID { return v.Snapshot().ID.UUID() }), nil
}

func (r reads) User(_ context.Context, u id.User) (user.User, error) {
	return first(r.memory, &r.users, func(v user.User) bool { return v.ID() == u && v.Snapshot().OrgID == r.org })
}

func (r reads) Users(_ context.Context, _ user.Filter, p page.Request) (page.Page[user.User], error) {
	return pageOf(r.memory, &r.users, p, func(v user.User) bool { return v.Snapshot().OrgID == r.org },
		func(v user.User) uuid.UUID { return v.ID().UUID() }), nil
}

func (r reads) Role(_ context.Context, i id.Role) (role.Role, error) {
	return first(r.memory, &r.roles, func(v role.Role) bool { return v.Snapshot().ID == i && v.Snapshot().OrgID == r.org })
}

func (r reads) RoleByName(_ context.Context, name string) (role.Role, error) {
	return first(r.memory, &r.roles, func(v role.Role) bool { return v.Snapshot().Name == name && v.Snapshot().OrgID == r.org })
}

func (r reads) Roles(_ context.Context, p page.Request) (page.Page[role.Role], error) {
	return pageOf(r.memory, &r.roles, p, func(v role.Role) bool { return v.Snapshot().OrgID == r.org },
		func(v role.Role) uuid.UUID { return v.Snapshot().ID.UUID() }), nil
}

func (r reads) APIKey(_ context.Context, k id.APIKey) (apikey.Key, error) {
	return first(r.memory, &r.keys, func(v apikey.Key) bool { return v.Snapshot().ID == k && v.Snapshot().OrgID == r.org })
}

func (r reads) APIKeys(_ context.Context, _ apikey.Filter, p page.Request) (page.Page[apikey.Key], error) {
	return pageOf(r.memory, &r.keys, p, func(v apikey.Key) bool { return v.Snapshot().OrgID == r.org },
		func(v apikey.Key) uuid.UUID { return v.Snapshot().ID.UUID() }), nil
}

// What is kept of schedules matters to no answer but that to their quota.
func (reads) Dispatch(context.Context, uuid.UUID) (workflow.Dispatch, error) {
	return workflow.Dispatch{}, fault.ErrNotFound
}

type dispatchWrites struct{ ports.DispatchWriter }

func (dispatchWrites) Request(context.Context, workflow.Dispatch) error { return nil }

// Decided hears of what was started.
func (m *memory) Decided(authz.Actor, workflow.Dispatch) {}

func (reads) KnownSchedules(_ context.Context, ids []string) ([]string, error) { return ids, nil }

func (reads) Schedules(context.Context, schedule.Filter) ([]schedule.Row, error) { return nil, nil }

func (scheduleWrites) Claim(context.Context, schedule.Row) (bool, error) { return true, nil }

func (scheduleWrites) TakeBack(context.Context, string, uuid.UUID) (bool, error) { return true, nil }

func (scheduleWrites) Remove(context.Context, string) (bool, error) { return true, nil }

func (scheduleWrites) Hold(context.Context, []schedule.Row) ([]schedule.Row, error) { return nil, nil }

func (scheduleWrites) Unhold(context.Context, string, uuid.UUID) (bool, error) { return false, nil }

func (scheduleWrites) Learn(context.Context, []schedule.Row) (int64, error) { return 0, nil }

func (r reads) Operation(ctx context.Context, i id.Operation) (operation.Operation, error) {
	if r.asked != nil {
		select {
		case r.asked <- struct{}{}:
		default:
		}
	}
	if err := ctx.Err(); err != nil {
		return operation.Operation{}, err
	}
	return first(r.memory, &r.operations, func(v operation.Operation) bool { return v.Snapshot().ID == i && v.Snapshot().OrgID == r.org })
}

func (reads) OpenOperation(context.Context, []operation.Kind) (operation.Operation, error) {
	return operation.Operation{}, errors.ErrUnsupported
}

type platform struct{ *memory }

func (p platform) Org(_ context.Context, i id.Org) (org.Org, error) {
	return first(p.memory, &p.orgs, func(o org.Org) bool { return o.ID() == i })
}

func (p platform) OrgBySlug(_ context.Context, slug string) (org.Org, error) {
	return first(p.memory, &p.orgs, func(o org.Org) bool { return o.Snapshot().Slug == slug })
}

func (p platform) Orgs(_ context.Context, _ org.Filter, r page.Request) (page.Page[org.Org], error) {
	return pageOf(p.memory, &p.orgs, r, func(org.Org) bool { return true }, func(o org.Org) uuid.UUID { return o.ID().UUID() }), nil
}

// members is where every pool has the members one and two.
type members struct{ ports.WorkerMembers }

func (members) Hold(context.Context, string, string, time.Duration) error { return nil }

func (members) Leave(context.Context, string, string) error { return nil }

func (members) Leases(context.Context) ([]pool.Lease, error) {
	return []pool.Lease{
		{Pool: org.DefaultPool, Member: "one", EndsAt: now.Add(time.Second)}, {Pool: org.DefaultPool, Member: "two", EndsAt: now, HasEnded: true},
	}, nil
}

func (members) All(context.Context) (map[string][]string, error) {
	return map[string][]string{"": {"one", "two"}, org.DefaultPool: {"one", "two"}}, nil
}

func (p platform) ActiveOrgs(context.Context) ([]org.Org, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]org.Org(nil), p.orgs...), nil
}

func (p platform) Operation(_ context.Context, i id.Operation) (operation.Operation, error) {
	return first(p.memory, &p.operations, func(v operation.Operation) bool { return v.Snapshot().ID == i })
}

type writes struct {
	*memory
	org id.Org
}

type (
	orgWrites       struct{ writes }
	userWrites      struct{ writes }
	roleWrites      struct{ writes }
	keyWrites       struct{ writes }
	operationWrites struct{ writes }
	scheduleWrites  struct{}
	auditWrites     struct{ writes }
	outboxWrites    struct{}
)

func (w orgWrites) Insert(_ context.Context, o org.Org) error {
	if _, err := (platform{w.memory}).OrgBySlug(context.Background(), o.Snapshot().Slug); err == nil {
		return org.ErrSlugTaken
	}
	return add(w.memory, &w.orgs, o)
}

func (w orgWrites) Lock(ctx context.Context) (org.Org, error) {
	return platform{w.memory}.Org(ctx, w.org)
}

func (w orgWrites) Counts(ctx context.Context) (org.Counts, error) {
	return w.Reads(w.org).OrgCounts(ctx)
}

func (w orgWrites) Update(_ context.Context, fn func(*org.Org) error) error {
	return change(w.memory, &w.orgs, func(o org.Org) bool { return o.ID() == w.org }, fn)
}

func (orgWrites) Purge(context.Context, int) (int64, error) { return 0, errors.ErrUnsupported }

func (w userWrites) Insert(_ context.Context, u user.User) error { return add(w.memory, &w.users, u) }

func (w userWrites) Lock(ctx context.Context, u id.User) (user.User, error) {
	return w.Reads(w.org).User(ctx, u)
}

func (w userWrites) LockAll(ctx context.Context, ids []id.User) ([]user.User, error) {
	var found []user.User
	for _, i := range ids {
		if u, err := w.Lock(ctx, i); err == nil {
			found = append(found, u)
		}
	}
	return found, nil
}

func (w userWrites) CountActive(_ context.Context, r authz.Role) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, u := range w.users {
		if s := u.Snapshot(); s.OrgID == w.org && s.Role == r && s.State == user.Active {
			n++
		}
	}
	return n, nil
}

func (w userWrites) InsertAll(ctx context.Context, us []user.User) ([]id.User, error) {
	for _, u := range us {
		if err := w.Insert(ctx, u); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (w userWrites) UpdateAll(_ context.Context, us []user.User) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range us {
		for i := range w.users {
			if w.users[i].ID() == u.ID() {
				w.users[i] = u
			}
		}
	}
	return nil
}

func (w roleWrites) Insert(_ context.Context, r role.Role) error { return add(w.memory, &w.roles, r) }

func (w roleWrites) Update(_ context.Context, i id.Role, fn func(*role.Role) error) error {
	return change(w.memory, &w.roles, func(r role.Role) bool { return r.Snapshot().ID == i && r.Snapshot().OrgID == w.org }, fn)
}

func (w roleWrites) Delete(context.Context, id.Role) error { return nil }

func (w keyWrites) Insert(_ context.Context, k apikey.Key) error { return add(w.memory, &w.keys, k) }

func (w keyWrites) Update(ctx context.Context, i id.APIKey, fn func(*apikey.Key) error) error {
	k, err := w.Reads(w.org).APIKey(ctx, i)
	if err != nil {
		return err
	}
	return fn(&k)
}

func (w keyWrites) Delete(ctx context.Context, i id.APIKey, fn func(*apikey.Key) error) error {
	return w.Update(ctx, i, fn)
}

func (m *memory) Record(context.Context, []apikey.Use) error { return nil }

func (m *memory) Rehash(context.Context, id.Org, id.APIKey, apikey.Versioned, apikey.Versioned) error {
	return nil
}

func (*memory) ExpiryWarned(int)                {}
func (*memory) SecretsByPepper(map[int16]int64) {}
func (*memory) LeakReported(string)             {}
func (*memory) UsesDropped(int)                 {}

// tallied is a request that was counted.
type tallied struct {
	operation string
	status    int
}

func (m *memory) Requests(operation string) func(int, time.Duration) {
	return func(status int, _ time.Duration) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.tallies = append(m.tallies, tallied{operation, status})
	}
}

func (w operationWrites) Insert(_ context.Context, o operation.Operation) error {
	return add(w.memory, &w.operations, o)
}

func (operationWrites) Update(context.Context, id.Operation, func(*operation.Operation) error) error {
	return errors.ErrUnsupported
}

func (operationWrites) Latest(context.Context, []operation.Kind) (operation.Operation, error) {
	return operation.Operation{}, errors.ErrUnsupported
}

func (w operationWrites) UpdateOpen(_ context.Context, k operation.Kind, fn func(*operation.Operation) error) error {
	return change(w.memory, &w.operations, func(v operation.Operation) bool {
		s := v.Snapshot()
		return s.OrgID == w.org && s.Kind == k && !s.State.Ended()
	}, fn)
}

func (w auditWrites) Append(_ context.Context, e audit.Entry) error {
	return add(w.memory, &w.written, e)
}

func (auditWrites) Purge(context.Context, int) (int64, error) { return 0, errors.ErrUnsupported }

func (outboxWrites) Append(context.Context, outbox.Message) error { return nil }

func (m *memory) Start(_ context.Context, _ string, _ authz.Actor, s workflow.Start) (workflow.Execution, error) {
	m.started = s
	return workflow.Execution{ID: s.ID, RunID: "run", Type: s.Type, TaskQueue: s.TaskQueue, Status: workflow.Running, StartedAt: now}, nil
}

func (m *memory) Dispatched(context.Context, string, workflow.Dispatch) (workflow.Dispatch, error) {
	return workflow.Dispatch{}, workflow.ErrNotFound
}

func (m *memory) Describe(_ context.Context, namespace, workflowID, runID string) (workflow.Execution, error) {
	m.described = [3]string{namespace, workflowID, runID}
	return workflow.Execution{ID: workflowID, RunID: "run", Type: "Order", TaskQueue: "orders", Status: workflow.Running, StartedAt: now}, nil
}

func (m *memory) Result(ctx context.Context, _, workflowID, _ string, wait time.Duration) (workflow.Result, error) {
	if wait > 0 {
		<-ctx.Done() // it never ends
		return workflow.Result{}, ctx.Err()
	}
	return workflow.Result{ID: workflowID, RunID: "run", Status: workflow.Running}, nil
}
