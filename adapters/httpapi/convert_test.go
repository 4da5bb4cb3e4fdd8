package httpapi

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// whole is one value of each kind with everything that it can hold.
var (
	wholeRate = limit.Set{limit.Requests: {Rate: ratelimit.Rate{Count: 60, Period: time.Minute, Burst: 6}}}
	wholeOrg  = org.Snapshot{
		ID: id.New[id.OrgKind](), Slug: "acme", Name: "Acme", State: org.Suspended, StateReason: "unpaid", Namespace: "org-acme-1", NamespaceAdopted: true,
		Metadata:          org.Metadata{"plan": "gold"},
		Settings:          org.Settings{DeletionGraceDays: 1, AuditRetentionDays: 30, APIKeyDefaultTTLDays: 3, APIKeyMaxTTLDays: 4, AllowList: org.AllowList{{Role: "member", WorkflowTypes: []string{"Order*"}, TaskQueues: []string{"orders"}}}, WorkflowRetentionDays: 5},
		DeletionProtected: true, WorkerPool: "gold", ActivatedAt: now.Add(time.Minute), DeleteAfter: now.Add(time.Hour),
		Limits: limit.Set{limit.Users: {Max: 5}}, LimitsVersion: 3, Version: 7, CreatedAt: now, UpdatedAt: now.Add(time.Second),
	}
	wholeUser = user.Snapshot{
		ID: id.New[id.UserKind](), OrgID: id.New[id.OrgKind](), Kind: user.Person, Email: "ada@acme.example", Name: "Ada",
		Role: authz.NewCustomRole(id.New[id.RoleKind](), "deployer", authz.SetOf(authz.WorkflowsRead)), State: user.Suspended, Reason: "away", Version: 7, CreatedAt: now, UpdatedAt: now.Add(time.Second),
	}
	wholeKey = apikey.Snapshot{
		ID: id.New[id.APIKeyKind](), OrgID: id.New[id.OrgKind](), UserID: id.New[id.UserKind](), Name: "ci",
		Scopes: authz.SetOf(authz.WorkflowsRead), Hint: "bhk_12345678", LastFour: "wxyz",
		Hash: apikey.Versioned{Version: 1, Hash: apikey.Hash{1}}, State: apikey.Disabled, ExpiresAt: now.Add(time.Hour),
		RevokedAt: now.Add(time.Minute), Version: 7, CreatedAt: now, UpdatedAt: now.Add(time.Second),
		Description: "from the pipeline", AllowedIPs: apikey.IPList{netip.MustParsePrefix("192.0.2.0/24")}, Metadata: apikey.Metadata{"team": "a"},
		Limits:     wholeRate,
		LastUsedAt: now.Add(3 * time.Second), Generation: 2, WarnAt: now.Add(time.Minute),
		Old: apikey.Previous{
			Hint: "bhk_87654321", LastFour: "dcba", Hash: apikey.Versioned{Version: 1, Hash: apikey.Hash{2}}, LastUsedAt: now.Add(2 * time.Second),
			ExpiresAt: now.Add(time.Hour), UntilSeen: true,
		},
	}
	wholeOperation = operation.Snapshot{
		ID: id.New[id.OperationKind](), OrgID: id.New[id.OrgKind](), Kind: operation.ProvisionOrganization, State: operation.Failed,
		Step: operation.NamespaceUsable, Attempts: 3, Failure: "no luck", FailureCode: "namespace.foreign", Note: "why", RetryOf: id.New[id.OperationKind](), CreatedAt: now, UpdatedAt: now.Add(time.Second),
		FinishedAt: now.Add(time.Minute),
	}
	wholeExecution = workflow.Execution{
		ID: "order/1", RunID: "run", Type: "Order", TaskQueue: "orders", Status: workflow.Completed, StartedAt: now,
		ClosedAt: now.Add(time.Second), Events: 12, Joined: true, // for the ledger
		Details: &workflow.Details{
			StartedBy: workflow.Starter{APIKey: "key_1", User: "usr_1"}, Memo: workflow.Memo{"note": json.RawMessage(`1`)},
			Attributes:       workflow.Attributes{"Cents": {Type: workflow.Int, Value: json.RawMessage(`995`)}},
			ExecutionTimeout: 3 * time.Second, RunTimeout: 2 * time.Second, TaskTimeout: time.Second,
			Parent: workflow.Target{ID: "parent", RunID: "other"}, FirstRunID: "first",
		},
	}
	wholeTask = workflow.Task{
		EventID: 5, Kind: workflow.ActivityTask, ID: "5", Type: "Charge", State: workflow.TaskCompleted, Attempts: 2,
		ScheduledAt: now, StartedAt: now.Add(time.Second), ClosedAt: now.Add(3 * time.Second), Failure: &workflow.Failure{Message: "no luck", Type: "BadLuck"},
	}
	wholeEvent  = workflow.Event{ID: 1, Type: "timer_fired", At: now, Attributes: json.RawMessage(`{}`)}
	wholeResult = workflow.Result{
		ID: "order/1", RunID: "run", Status: workflow.Failed, Output: json.RawMessage(`1`),
		Failure: &workflow.Failure{Message: "no stock", Type: "StockError"},
	}
	wholeAssignment = assignments.Assignment{
		Org: id.New[id.OrgKind](), OrgSlug: "acme", Namespace: "org-acme-1", State: org.Active, TaskQueues: []string{"orders"},
	}
	wholeToken = tokens.Token{JWT: "a.b.c", Namespace: "org-acme-1", Access: signing.Read, ExpiresAt: now}
	wholeActor = authz.NewKeyActor(authz.KeyHolder{
		Org: id.New[id.OrgKind](), OrgSlug: "acme", User: id.New[id.UserKind](), Key: id.New[id.APIKeyKind](), Role: authz.Viewer,
	})
	wholeStart = gen.WorkflowStart{
		WorkflowID: new("order/1"), Type: "Order", TaskQueue: "orders", Input: &[]json.RawMessage{json.RawMessage(`{"n":1}`)},
		ExecutionTimeoutSeconds: new(int64(3)), RunTimeoutSeconds: new(int64(2)), TaskTimeoutSeconds: new(int64(4)), StartDelaySeconds: new(int64(5)),
		IDReusePolicy: new(gen.AllowDuplicate), IDConflictPolicy: new(gen.UseExisting), CronSchedule: new("@daily"),
		RetryPolicy: &gen.WorkflowRetryPolicy{
			InitialIntervalSeconds: new(int64(6)), BackoffCoefficient: new(1.5), MaximumIntervalSeconds: new(int64(7)), MaximumAttempts: new(int32(8)),
			NonRetryableErrorTypes: &[]string{"BadLuck"},
		},
		Memo:             &gen.WorkflowMemo{"note": json.RawMessage(`1`)},
		SearchAttributes: &gen.WorkflowSearchAttributes{"Cents": {Type: gen.WorkflowSearchAttributeTypeInt, Value: json.RawMessage(`995`)}},
		Signal:           &gen.WorkflowSignal{Name: "add", Input: &[]json.RawMessage{json.RawMessage(`1`)}},
	}
)

// unset returns the path of a field that has its zero value, or "".
func unset(path string, v reflect.Value) string {
	if v.IsZero() {
		return path
	}
	switch v.Kind() {
	case reflect.Pointer:
		return unset(path, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if found := unset(path+"[]", v.Index(i)); found != "" {
				return found
			}
		}
	case reflect.Struct:
		switch v.Type() {
		case reflect.TypeFor[time.Time](), reflect.TypeFor[authz.Role](), reflect.TypeFor[netip.Prefix]():
			return "" // a value of its own
		}
		for i := range v.NumField() {
			if found := unset(path+"."+v.Type().Field(i).Name, v.Field(i)); found != "" {
				return found
			}
		}
	}
	return ""
}

// counted is an organization as the one answer that counts shows it.
func counted(o gen.Organization) gen.Organization {
	d := orgs.Details{Org: org.Restore(wholeOrg), Counts: org.Counts{Members: 1, APIKeys: 2}}
	o.Usage = (&handlers{}).toUsage(d)
	o.MemberCount, o.APIKeyCount = new(int32(1)), new(int32(2))
	return o
}

func TestConvert(t *testing.T) {
	t.Parallel()
	whole := &handlers{Deps: Deps{Clock: fixedClock(now)}}

	for _, c := range []struct {
		name     string
		from, to any
	}{
		{"an organization", wholeOrg, counted((&handlers{}).toOrganization(org.Restore(wholeOrg)))},
		{"a user", wholeUser, (&handlers{}).toUser(user.Restore(wholeUser))},
		{"an API key", wholeKey, whole.toAPIKey(apikey.Restore(wholeKey))},
		{"an operation", wholeOperation, toOperation(operation.Restore(wholeOperation))},
		{"an execution", wholeExecution, toWorkflow(wholeExecution)},
		{"a task", wholeTask, toWorkflowTask(wholeTask)},
		{"an event", wholeEvent, toWorkflowEvent(wholeEvent)},
		{"a count", wholeCount, toWorkflowCount(wholeCount)},
		{"a result", wholeResult, toWorkflowResult(wholeResult)},
		{"an assignment", wholeAssignment, toAssignment(wholeAssignment)},
		{"a token", wholeToken, toToken(wholeToken, "temporal:7233")},
		{"a start", wholeStart, named(started(wholeStart))},
		{"an actor", struct{}{}, toActor(wholeActor)},
	} {
		t.Run("Should set every field of "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			if reflect.ValueOf(c.from).NumField() > 0 {
				is.Equal(unset(c.name, reflect.ValueOf(c.from)), "") // the test gives all there is
			}
			is.Equal(unset(c.name, reflect.ValueOf(c.to)), "") // and all of it arrives
		})
	}

	t.Run("Should keep each value in its own field", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		k := whole.toAPIKey(apikey.Restore(wholeKey))
		is.Equal([]string{k.ID, k.OrganizationID, *k.UserID, k.Name, k.Prefix, k.LastFour, string(k.State)},
			[]string{wholeKey.ID.String(), wholeKey.OrgID.String(), wholeKey.UserID.String(), "ci", "bhk_12345678", "wxyz", "disabled"})
		is.Equal([]time.Time{k.CreatedAt, k.UpdatedAt, *k.RevokedAt, *k.ExpiresAt},
			[]time.Time{now, now.Add(time.Second), now.Add(time.Minute), now.Add(time.Hour)})
		o := toOperation(operation.Restore(wholeOperation))
		is.Equal([]string{o.ID, o.OrganizationID, o.Kind, string(o.State), *o.Step, *o.Failure, *o.FailureCode},
			[]string{wholeOperation.ID.String(), wholeOperation.OrgID.String(), "organization.provision", "failed", "namespace_usable", "no luck", "namespace.foreign"})
		is.Equal([]time.Time{o.CreatedAt, o.UpdatedAt, *o.FinishedAt}, []time.Time{now, now.Add(time.Second), now.Add(time.Minute)})
		u := (&handlers{}).toUser(user.Restore(wholeUser))
		is.Equal([]string{u.ID, u.OrganizationID, string(u.Kind), *u.Email, u.Name, u.Role, *u.RoleID, string(u.State), *u.Reason},
			[]string{
				wholeUser.ID.String(), wholeUser.OrgID.String(), "person", "ada@acme.example", "Ada", "deployer", wholeUser.Role.ID().String(), "suspended", "away",
			})
		s := started(wholeStart)
		is.Equal([]string{s.ID, s.Type, s.TaskQueue, string(s.Input[0])}, []string{"order/1", "Order", "orders", `{"n":1}`})
		is.Equal([]time.Duration{s.ExecutionTimeout, s.RunTimeout, s.TaskTimeout, s.Delay, s.Retry.InitialInterval, s.Retry.MaximumInterval},
			[]time.Duration{3 * time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 6 * time.Second, 7 * time.Second})
		x := toWorkflow(wholeExecution)
		is.Equal([]string{*x.StartedBy.APIKeyID, *x.StartedBy.UserID, x.Parent.WorkflowID, x.Parent.RunID, *x.FirstRunID}, []string{"key_1", "usr_1", "parent", "other", "first"})
		is.Equal([]int64{*x.ExecutionTimeoutSeconds, *x.RunTimeoutSeconds, *x.TaskTimeoutSeconds}, []int64{3, 2, 1})
	})

	t.Run("Should leave out what there is none of, and have no null lists", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		for _, v := range []any{
			(&handlers{}).toOrganization(org.Restore(org.Snapshot{})), (&handlers{}).toUser(user.Restore(user.Snapshot{})), whole.toAPIKey(apikey.Restore(apikey.Snapshot{})),
			toOperation(operation.Restore(operation.Snapshot{})), toWorkflow(workflow.Execution{}), toWorkflowResult(workflow.Result{}),
			toWorkflowCount(workflow.Count{}), toWorkflowTask(workflow.Task{}),
			toAssignment(assignments.Assignment{}), toWorkerPool(assignments.Pool{}), toActor(authz.Actor{}), each(nil, (&handlers{}).toUser),
		} {
			text, err := json.Marshal(v)
			is.NoErr(err)
			is.True(!containsNull(text))
		}
		is.Equal(started(gen.WorkflowStart{}), workflow.Start{})
	})
}

// started is what a request that the schema allows wants started.
func started(in gen.WorkflowStart) workflow.Start {
	s, err := toStart(in)
	if err != nil {
		panic(err)
	}
	return s
}

// named gives a start what the use case gives it, and no client can.
func named(s workflow.Start) workflow.Start {
	s.Request = uuid.New()
	return s
}

func containsNull(text []byte) bool {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return true
	}
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		for _, member := range v {
			if member == nil {
				return true
			}
		}
	}
	return false
}
