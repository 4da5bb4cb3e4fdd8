package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/sdk"
)

var update = flag.Bool("update", false, "write the golden files")

// What the world's API knows. The secrets do not have the form of keys, so that
// nobody who scans for lost ones is alarmed.
const (
	orgID    = "org_01h455vb4pex5vsknk084sn02q"
	adaID    = "usr_01h455vb4pex5vsknk084sn02q"
	roleID   = "role_01h455vb4pex5vsknk084sn02q"
	keyID    = "key_01h455vb4pex5vsknk084sn02q"
	eventID  = "evt_01h455vb4pex5vsknk084sn02q"
	opID     = "op_01h455vb4pex5vsknk084sn02q"
	runID    = "0192d7c5-7e1f-7000-8000-000000000000"
	ownKey   = "bhk_own-key-of-the-tests"
	newKey   = "bhk_new-key-of-the-tests"
	dataKey  = "header.payload.signature"
	longAgo  = 3 * 24 * time.Hour
	greeting = `"Hello, Ada!"`
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// world is all that a command meets, and what it left behind.
type world struct {
	t        *testing.T
	env      Environment
	vars     map[string]string
	out, err bytes.Buffer
	deps     Deps

	mu       sync.Mutex
	requests []request
	answers  map[string]func(w http.ResponseWriter, r *http.Request) // by "METHOD /path"; they come before the usual ones
}

// request is what the API was asked.
type request struct {
	line string // method and address
	body string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, answers: map[string]func(http.ResponseWriter, *http.Request){}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.vars = map[string]string{"BULKHEAD_URL": server.URL, "BULKHEAD_API_KEY": ownKey}
	w.env = Environment{
		Getenv: func(name string) string { return w.vars[name] },
		In:     strings.NewReader(""), Out: &w.out, Err: &w.err, Now: func() time.Time { return now },
	}
	w.deps.Version = "v1.2.3"
	return w
}

// run runs a command line and returns its exit code and what it printed.
func (w *world) run(args ...string) (code int, out, err string) {
	w.t.Helper()
	return w.runContext(w.t.Context(), args...)
}

func (w *world) runContext(ctx context.Context, args ...string) (code int, out, err string) {
	w.t.Helper()
	w.out.Reset()
	w.err.Reset()
	code = Main(ctx, append([]string{"/usr/bin/bulkhead"}, args...), w.env, w.deps)
	if strings.Contains(w.err.String(), ownKey) || strings.Contains(w.out.String(), ownKey) {
		w.t.Errorf("%q shows the API key", args)
	}
	return code, w.out.String(), w.err.String()
}

// typing makes a person sit at the terminal, who types the text.
func (w *world) typing(text string) {
	w.env.In, w.env.InTerminal, w.env.ErrTerminal = strings.NewReader(text), true, true
	w.vars["NO_COLOR"] = "1"
}

// answer sets the answer to a request, by method and path.
func (w *world) answer(request string, status int, body any) {
	w.answers[request] = func(out http.ResponseWriter, _ *http.Request) { send(out, status, body) }
}

// problem sets the answer to a request to a problem.
func (w *world) problem(request string, status int, code, detail string, fields ...sdk.ProblemField) {
	w.answer(request, status, sdk.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: int32(status), Code: code, Detail: detail, RequestID: "req_1", Fields: fields,
	})
}

func send(w http.ResponseWriter, status int, body any) {
	media := "application/json"
	if status >= 400 {
		media = "application/problem+json"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	if status == http.StatusNoContent {
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}

func (w *world) asked() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}

// last returns the last request.
func (w *world) last() request {
	all := w.asked()
	if len(all) == 0 {
		return request{}
	}
	return all[len(all)-1]
}

// ServeHTTP is the API.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.requests = append(w.requests, request{line: r.Method + " " + r.RequestURI, body: string(body)})
	w.mu.Unlock()
	name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v0")
	if f := w.answers[name]; f != nil {
		f(out, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+ownKey {
		send(out, 401, sdk.Problem{Code: "auth.unauthenticated", Detail: "The credential is not valid.", RequestID: "req_1"})
		return
	}
	if a, ok := usual[name]; ok {
		send(out, a.status, a.body)
		return
	}
	send(out, 404, sdk.Problem{Code: "not_found", Detail: "There is no such thing.", RequestID: "req_1"})
}

func organization(state sdk.OrganizationState) sdk.Organization {
	return sdk.Organization{
		ID: orgID, Slug: "acme", Name: "Acme Corp.", State: state, Namespace: "org-acme-84sn02q0",
		NamespaceState: sdk.OrganizationNamespaceStateReady, MemberCount: 3, APIKeyCount: 2, Etag: `"7.x"`,
		Metadata: sdk.Metadata{"plan": "gold"}, Settings: sdk.OrganizationSettings{DeletionGraceDays: 14},
		CreatedAt: now.Add(-longAgo), UpdatedAt: now.Add(-time.Minute),
	}
}

func orgNamespace(drift ...sdk.NamespaceDifference) sdk.Namespace {
	return sdk.Namespace{
		Name: "org-acme-84sn02q0", Status: sdk.NamespaceStatusRegistered, RetentionSeconds: 259200, Drift: drift,
		SearchAttributes: map[string]string{"BulkheadActor": "Keyword"},
	}
}

func examination(healthy bool) sdk.Examination {
	canary := sdk.ExaminationCheck{Name: "canary", Status: sdk.ExaminationCheckStatusOk, Detail: "A workflow was started and terminated.", DurationMs: 12}
	if !healthy {
		canary.Status, canary.Detail, canary.Repair = sdk.ExaminationCheckStatusFailed, "No workflow starts.", "bulkhead org reconcile acme"
	}
	queue := sdk.ExaminationCheck{Name: "task_queue orders", Status: sdk.ExaminationCheckStatusWarning, Detail: "No worker polls the task queue.", Repair: "Start one."}
	return sdk.Examination{Healthy: healthy, Checks: []sdk.ExaminationCheck{canary, queue}}
}

func operation(state sdk.OperationState, step string) sdk.Operation {
	return sdk.Operation{
		ID: opID, OrganizationID: orgID, Kind: "organization.provision", State: state, Step: step, CreatedAt: now, UpdatedAt: now,
	}
}

// deletion is the organization in its time of grace.
func deletion() sdk.OrganizationDeletion {
	o := organization(sdk.OrganizationStateDeleting)
	o.DeleteAfter = now.Add(7 * 24 * time.Hour)
	op := operation(sdk.OperationStatePending, "")
	op.Kind = "organization.delete"
	return sdk.OrganizationDeletion{Organization: o, Operation: op}
}

// ended is an operation that has failed.
func ended() sdk.Operation {
	op := operation(sdk.OperationStateFailed, "namespace_registered")
	op.Failure, op.FailureCode, op.FinishedAt, op.Retry = "the namespace is someone else's", "namespace.foreign", now, "/api/v0/operations/"+opID+"/retry"
	return op
}

func user(email string, role sdk.Role) sdk.User {
	return sdk.User{
		ID: adaID, OrganizationID: orgID, Kind: sdk.UserKindPerson, Email: email, Name: "Ada", Role: role, State: sdk.UserStateActive, Etag: `"1.x"`,
		CreatedAt: now.Add(-longAgo), UpdatedAt: now.Add(-longAgo),
	}
}

func apiKey(state sdk.APIKeyState) sdk.APIKey {
	k := sdk.APIKey{
		ID: keyID, OrganizationID: orgID, UserID: adaID, Name: "ci", Scopes: []string{"workflows:start"}, Prefix: "bhk_NEWKEYNE",
		LastFour: "0000", State: state, ExpiresAt: now.Add(longAgo), Etag: `"3.x"`, CreatedAt: now.Add(-longAgo), UpdatedAt: now.Add(-longAgo),
	}
	if state == sdk.APIKeyStateRevoked {
		k.RevokedAt = now
	}
	return k
}

func auditEvent() sdk.AuditEvent {
	return sdk.AuditEvent{
		ID: eventID, OrganizationID: orgID, Seq: 7, At: now.Add(-time.Minute), Action: "access.refused", ResourceType: "operation",
		ResourceID: "createUser", Actor: sdk.AuditEventActor{Kind: "user", OrganizationID: orgID, UserID: adaID, APIKeyID: keyID},
		Outcome: sdk.AuditEventOutcomeRefused, Count: 3, Changes: json.RawMessage(`{"reason":{"after":"auth.forbidden"}}`),
		RequestID: "req_1", SourceIP: "192.0.2.1", Hash: strings.Repeat("0a", 32),
	}
}

// rotatedKey is a key with two live secrets.
func rotatedKey() sdk.APIKey {
	k := apiKey(sdk.APIKeyStateActive)
	k.AllowedIPs, k.LastUsedAt = []string{"192.0.2.0/24"}, now.Add(-time.Minute)
	k.OldSecret = sdk.OldSecret{Prefix: "bhk_OLDKEYOL", LastFour: "1111", Live: true, UntilSeen: true, LastUsedAt: now.Add(-time.Hour)}
	return k
}

func greetWorkflow(status sdk.WorkflowStatus) sdk.Workflow {
	return sdk.Workflow{
		WorkflowID: "greet-1", RunID: runID, Type: "Greet", TaskQueue: "default", Status: status, StartedAt: now.Add(-time.Minute),
		HistoryLength: 11,
	}
}

var (
	viewerRole   = sdk.RoleDefinition{Name: "viewer", BuiltIn: true, Permissions: []string{"users:read"}, Etag: `"1.a"`}
	deployerRole = sdk.RoleDefinition{
		ID: roleID, Name: "deployer", Description: "CI", Permissions: []string{"workflows:start"}, Etag: `"1.b"`,
		CreatedAt: now.Add(-longAgo), UpdatedAt: now.Add(-time.Minute),
	}
)

const batchID = "batch-cancel-0b6e1c52-7a54-4d0e-9d0b-0f4c3f7c2a11"

// aBatch is a batch, which has counted nothing yet when it runs.
func aBatch(kind sdk.WorkflowBatchKind, state sdk.WorkflowBatchState) sdk.WorkflowBatch {
	b := sdk.WorkflowBatch{
		ID: batchID, Kind: kind, State: state, Query: `WorkflowType = "Greet"`, Reason: "stuck", StartedBy: keyID, StartedAt: now.Add(-time.Minute), Total: 7,
	}
	if state == sdk.WorkflowBatchStateCompleted {
		b.Done, b.ClosedAt = 7, now
	}
	return b
}

func listedBatch() sdk.WorkflowBatch {
	return sdk.WorkflowBatch{ID: batchID, Kind: sdk.WorkflowBatchKindCancel, State: sdk.WorkflowBatchStateRunning, StartedAt: now.Add(-time.Minute)}
}

var nightlySchedule = sdk.Schedule{
	ScheduleID: "nightly", Action: sdk.ScheduleAction{Type: "Report", TaskQueue: "reports"},
	Spec: sdk.ScheduleSpec{
		Calendars: []sdk.ScheduleCalendar{{Comment: "0 3 * * *"}}, Intervals: []sdk.ScheduleInterval{{EverySeconds: 900}}, TimeZone: "Europe/Berlin",
	},
	Policy: sdk.SchedulePolicy{Overlap: "skip", CatchupWindowSeconds: 60, PauseOnFailure: true}, Note: "made by hand",
	NextAt: []time.Time{now, now.Add(time.Hour)}, CreatedAt: now, Etag: `"1.c"`,
	Recent: []sdk.ScheduleRun{{WorkflowID: "nightly-2026-01-01T03:00:00Z", RunID: "run", ScheduledAt: now, StartedAt: now}},
}

// usual are the API's answers when all is well, by method and path below /api/v0.
var usual = map[string]struct {
	status int
	body   any
}{
	"GET /auth/whoami": {200, sdk.Actor{
		Kind: sdk.ActorKindUser, Organization: sdk.OrganizationRef{ID: orgID, Slug: "acme"}, UserID: adaID, APIKeyID: keyID,
		Role: "admin", Permissions: []string{"users:read", "workflows:start"},
	}},
	"POST /auth/token": {200, sdk.Token{
		Token: dataKey, TokenType: sdk.TokenTokenTypeBearer, ExpiresAt: now.Add(5 * time.Minute), Namespace: "org-acme-84sn02q0",
		Access: sdk.TokenAccessWrite, TemporalAddress: "127.0.0.1:7233",
	}},
	"POST /organizations": {201, sdk.OrganizationCreated{
		Organization: organization(sdk.OrganizationStateProvisioning), Admin: user("ada@acme.example", sdk.RoleAdmin),
		Operation: operation(sdk.OperationStatePending, ""),
	}},
	"GET /operations/" + opID:                                 {200, operation(sdk.OperationStateSucceeded, "organization_activated")},
	"GET /organizations":                                      {200, sdk.OrganizationList{Items: []sdk.Organization{organization(sdk.OrganizationStateActive)}}},
	"GET /organizations/acme":                                 {200, organization(sdk.OrganizationStateActive)},
	"GET /organizations/" + orgID:                             {200, organization(sdk.OrganizationStateActive)},
	"PATCH /organizations/acme":                               {200, organization(sdk.OrganizationStateActive)},
	"DELETE /organizations/acme":                              {202, deletion()},
	"POST /organizations/acme/suspend":                        {200, organization(sdk.OrganizationStateSuspended)},
	"POST /organizations/acme/doctor":                         {200, examination(true)},
	"GET /namespaces/orphans":                                 {200, sdk.OrphanList{Items: []sdk.Orphan{}}},
	"DELETE /namespaces/orphans/org-lost-84sn02q0":            {204, nil},
	"GET /organizations/acme/namespace":                       {200, orgNamespace()},
	"POST /organizations/acme/namespace/reconcile":            {200, orgNamespace()},
	"POST /organizations/acme/resume":                         {200, organization(sdk.OrganizationStateActive)},
	"POST /organizations/acme/restore":                        {200, organization(sdk.OrganizationStateSuspended)},
	"GET /organizations/acme/operations":                      {200, sdk.OperationList{Items: []sdk.Operation{ended()}}},
	"POST /operations/" + opID + "/retry":                     {202, operation(sdk.OperationStatePending, "")},
	"POST /organizations/acme/users":                          {201, user("grace@acme.example", sdk.RoleMember)},
	"GET /organizations/acme/users":                           {200, sdk.UserList{Items: []sdk.User{user("ada@acme.example", sdk.RoleAdmin)}}},
	"POST /organizations/acme/api-keys":                       {201, sdk.APIKeyCreated{APIKey: apiKey(sdk.APIKeyStateActive), Secret: newKey}},
	"GET /organizations/acme/api-keys":                        {200, sdk.APIKeyList{Items: []sdk.APIKey{apiKey(sdk.APIKeyStateActive)}}},
	"GET /organizations/acme/api-keys/" + keyID:               {200, apiKey(sdk.APIKeyStateActive)},
	"POST /organizations/acme/api-keys/" + keyID + "/revoke":  {200, apiKey(sdk.APIKeyStateRevoked)},
	"PATCH /organizations/acme/api-keys/" + keyID:             {200, apiKey(sdk.APIKeyStateActive)},
	"DELETE /organizations/acme/api-keys/" + keyID:            {204, nil},
	"POST /organizations/acme/api-keys/" + keyID + "/rotate":  {200, sdk.APIKeyCreated{APIKey: rotatedKey(), Secret: newKey}},
	"POST /organizations/acme/api-keys/" + keyID + "/disable": {200, apiKey(sdk.APIKeyStateDisabled)},
	"POST /organizations/acme/api-keys/" + keyID + "/enable":  {200, apiKey(sdk.APIKeyStateActive)},
	"POST /auth/verify": {200, sdk.Verification{
		Valid: true, Code: sdk.VerificationCodeVALID, Organization: sdk.OrganizationRef{ID: orgID, Slug: "acme"},
		Actor:       sdk.VerifiedActor{Kind: sdk.VerifiedActorKindUser, APIKeyID: keyID, UserID: adaID, Role: "member"},
		Permissions: []string{"workflows:start"}, ExpiresAt: now.Add(longAgo),
	}},
	"POST /api-keys/report-leak":                {200, sdk.LeakReported{Found: true, APIKey: apiKey(sdk.APIKeyStateRevoked)}},
	"POST /organizations/acme/workflows":        {201, greetWorkflow(sdk.WorkflowStatusRunning)},
	"GET /organizations/acme/audit":             {200, sdk.AuditEventList{Items: []sdk.AuditEvent{auditEvent()}}},
	"GET /organizations/acme/usage":             {200, sdk.UsageList{Items: []sdk.UsageSum{{APIKeyID: keyID, Requests: 1204, Refused: 3, Limited: 17}}}},
	"GET /organizations/globex/usage":           {200, sdk.UsageList{Items: []sdk.UsageSum{{Start: now.Add(-longAgo), Requests: 1204, Refused: 3, Limited: 17}}}},
	"GET /audit":                                {200, sdk.AuditEventList{Items: []sdk.AuditEvent{auditEvent()}}},
	"GET /organizations/acme/audit/" + eventID:  {200, auditEvent()},
	"GET /worker/pools":                         {200, workerPools},
	"GET /organizations/acme/allow-list":        {200, acmeAllows},
	"PUT /organizations/acme/allow-list":        {200, acmeAllows},
	"GET /organizations/acme/limits":            {200, sdk.OrganizationLimitList{Items: []sdk.OrganizationLimit{rateLimit, quotaLimit}}},
	"PUT /organizations/acme/limits/requests":   {200, rateLimit},
	"DELETE /organizations/acme/limits/users":   {200, quotaLimit},
	"GET /organizations/acme/roles":             {200, sdk.RoleList{Items: []sdk.RoleDefinition{viewerRole, deployerRole}}},
	"GET /organizations/acme/roles/viewer":      {200, viewerRole},
	"POST /organizations/acme/roles":            {201, deployerRole},
	"GET /organizations/acme/roles/deployer":    {200, deployerRole},
	"PATCH /organizations/acme/roles/deployer":  {200, deployerRole},
	"DELETE /organizations/acme/roles/deployer": {204, nil},
	"GET /authz/explain": {200, sdk.Explanation{
		Allowed: true, DecidedBy: sdk.ExplanationDecidedByRole, Reason: "The role admin allows it.", Role: "admin", Scopes: []string{},
		States:             sdk.ExplanationStates{APIKey: "active", User: "active", Organization: "active", Resource: "active"},
		TemporalPermission: "org-acme-84sn02q0:write",
	}},
	"GET /authz/permissions": {200, sdk.PermissionList{Items: []sdk.Permission{
		{Name: "tokens:read", Meaning: "exchange an API key for a data-plane token that reads", Roles: []string{"viewer", "admin"}, Temporal: "read"},
		{Name: "organizations:list", Meaning: "list all organizations", Platform: true, Roles: []string{"operator"}},
	}}},
	"POST /organizations/acme/audit/verify": {200, sdk.AuditVerification{
		Valid: true, Checked: 7, FromSeq: 1, HeadSeq: 7, HeadHash: strings.Repeat("0a", 32),
	}},
	"GET /organizations/acme/workflows": {200, sdk.WorkflowList{Items: []sdk.Workflow{greetWorkflow(sdk.WorkflowStatusRunning)}}},
	"GET /organizations/acme/workflow-count": {200, sdk.WorkflowCount{Count: 3, ByStatus: []sdk.WorkflowStatusCount{
		{Status: sdk.WorkflowStatusFailed, Count: 1}, {Status: sdk.WorkflowStatusRunning, Count: 2},
	}}},
	"GET /organizations/acme/workflows/greet-1/history": {200, sdk.WorkflowHistory{
		RunID: runID,
		Events: []sdk.WorkflowEvent{
			{ID: 1, Type: "workflow_execution_started", At: now.Add(-longAgo), Attributes: json.RawMessage(`{"input":["Ada"]}`)},
			{ID: 2, Type: "workflow_task_scheduled", At: now, Attributes: json.RawMessage(`{}`)},
		},
		Tasks: []sdk.WorkflowTask{
			{
				EventID: 5, Kind: "activity", ID: "5", Type: "Charge", State: "completed", Attempts: 2, ScheduledAt: now.Add(-longAgo), StartedAt: now.Add(-longAgo),
				ClosedAt: now.Add(2*time.Second - longAgo), DurationMs: 2000, Failure: sdk.WorkflowFailure{Message: "no luck"},
			},
			{EventID: 11, Kind: "timer", ID: "11", State: "started", ScheduledAt: now, StartedAt: now},
		},
	}},
	"POST /organizations/acme/workflows/greet-1/reset":  {200, sdk.WorkflowExecutionRef{WorkflowID: "greet-1", RunID: runID}},
	"POST /organizations/acme/workflows/greet-1/signal": {204, nil},
	"POST /organizations/acme/workflows/greet-1/query":  {200, sdk.WorkflowAnswer{Output: json.RawMessage(`{"n":1}`)}},
	"POST /organizations/acme/workflows/greet-1/update": {200, sdk.WorkflowUpdate{
		WorkflowID: "greet-1", RunID: runID, UpdateID: "u1", Status: sdk.WorkflowUpdateStatusCompleted, Output: json.RawMessage(`true`),
	}},
	"POST /organizations/acme/workflows/greet-1/cancel":              {204, nil},
	"POST /organizations/acme/workflows/greet-1/terminate":           {204, nil},
	"POST /organizations/acme/workflow-batches/cancel":               {202, aBatch(sdk.WorkflowBatchKindCancel, sdk.WorkflowBatchStateRunning)},
	"POST /organizations/acme/workflow-batches/terminate":            {202, aBatch(sdk.WorkflowBatchKindTerminate, sdk.WorkflowBatchStateRunning)},
	"POST /organizations/acme/workflow-batches/signal":               {202, aBatch(sdk.WorkflowBatchKindSignal, sdk.WorkflowBatchStateRunning)},
	"GET /organizations/acme/workflow-batches":                       {200, sdk.WorkflowBatchList{Items: []sdk.WorkflowBatch{listedBatch()}}},
	"GET /organizations/acme/workflow-batches/" + batchID:            {200, aBatch(sdk.WorkflowBatchKindCancel, sdk.WorkflowBatchStateCompleted)},
	"POST /organizations/acme/workflow-batches/" + batchID + "/stop": {204, nil},
	"GET /organizations/acme/schedules": {200, sdk.ScheduleList{Items: []sdk.ScheduleSummary{
		{ScheduleID: "nightly", Type: "Report", NextAt: []time.Time{now}, Recent: []sdk.ScheduleRun{}},
		{ScheduleID: "sync", Type: "Sync", Paused: true, Note: "holiday", NextAt: []time.Time{now}, Recent: []sdk.ScheduleRun{}},
	}}},
	"POST /organizations/acme/schedules":                  {201, nightlySchedule},
	"GET /organizations/acme/schedules/nightly":           {200, nightlySchedule},
	"PATCH /organizations/acme/schedules/nightly":         {200, nightlySchedule},
	"DELETE /organizations/acme/schedules/nightly":        {204, nil},
	"POST /organizations/acme/schedules/nightly/pause":    {200, nightlySchedule},
	"POST /organizations/acme/schedules/nightly/resume":   {200, nightlySchedule},
	"POST /organizations/acme/schedules/pause-all":        {202, operation(sdk.OperationStatePending, "")},
	"POST /organizations/acme/schedules/resume-all":       {202, operation(sdk.OperationStatePending, "")},
	"POST /organizations/acme/schedules/nightly/trigger":  {204, nil},
	"POST /organizations/acme/schedules/nightly/backfill": {200, sdk.ScheduleBackfilled{Workflows: 2}},
	"GET /organizations/acme/workflows/greet-1":           {200, startedBy(greetWorkflow(sdk.WorkflowStatusRunning))},
	"GET /organizations/acme/workflows/greet-1/result": {200, sdk.WorkflowResult{
		WorkflowID: "greet-1", RunID: runID, Status: sdk.WorkflowStatusCompleted, Output: json.RawMessage(greeting),
	}},
}

var workerPools = sdk.WorkerPoolList{Items: []sdk.WorkerPool{
	{Organizations: 5, Members: []sdk.WorkerMember{{Member: "everywhere", LeaseEndsAt: now.Add(9 * time.Second), Organizations: 5}}},
	{Pool: "gold", Organizations: 3, Members: []sdk.WorkerMember{
		{Member: "gold-0", LeaseEndsAt: now.Add(12 * time.Second), Organizations: 2}, {Member: "gold-1", LeaseEndsAt: now.Add(-time.Second), Lapsed: true, Organizations: 1},
	}},
}}

var acmeAllows = sdk.AllowList{Rules: []sdk.AllowRule{{Role: "member", WorkflowTypes: []string{"Order*", "Charge"}}, {Role: "*", TaskQueues: []string{"default"}}}, Etag: `"3.a"`}

// golden compares a text with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it with -update)\n--- want\n%s\n--- got\n%s", file, want, got)
	}
}

// TestWorld keeps the tests' API true to the contract.
func TestWorld(t *testing.T) {
	t.Parallel()
	t.Run("Should answer documented operations only, with documented statuses", func(t *testing.T) {
		text, err := os.ReadFile("../../api/openapi.yaml")
		if err != nil {
			t.Fatal(err)
		}
		documented := map[string]string{} // the statuses by operation
		var path, operation string
		line := regexp.MustCompile(`^(?:  (/\S*):|    (get|post|put|patch|delete):|        '(\d+)':.*)$`)
		for l := range strings.SplitSeq(string(text), "\n") {
			switch m := line.FindStringSubmatch(l); {
			case m == nil:
			case m[1] != "":
				path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(m[1], "[^/]+")
			case m[2] != "":
				operation = strings.ToUpper(m[2]) + " " + path
			default:
				documented[operation] += " " + m[3]
			}
		}
		for name, a := range usual {
			method, rest, _ := strings.Cut(name, " ")
			found := false
			for o, statuses := range documented {
				found = found || regexp.MustCompile("^"+o+"$").MatchString(method+" /api/v0"+rest) &&
					strings.Contains(statuses, fmt.Sprint(a.status))
			}
			if !found {
				t.Errorf("%s with %d is not in the contract", name, a.status)
			}
		}
	})
}

var (
	rateLimit = sdk.OrganizationLimit{
		Name: "requests", Kind: sdk.OrganizationLimitKindRate, Description: "requests to the API, by cost", Overridden: true, Etag: `"2.l"`,
		Value:   sdk.LimitValue{Count: 600, PeriodSeconds: 60, Burst: 60, WarnPercent: 90, Mode: sdk.LimitModeDryRun},
		Default: sdk.LimitValue{Count: 60_000, PeriodSeconds: 60, Burst: 6_000, WarnPercent: 80, Mode: sdk.LimitModeEnforce},
		Usage:   sdk.LimitUsage{Used: 3, Remaining: 57, ResetSeconds: new(int64(1))},
	}
	quotaLimit = sdk.OrganizationLimit{
		Name: "users", Kind: sdk.OrganizationLimitKindQuota, Description: "users and service accounts that are not removed", Etag: `"2.l"`,
		Value:   sdk.LimitValue{Max: new(int64(50)), WarnPercent: 80, Mode: sdk.LimitModeEnforce},
		Default: sdk.LimitValue{Max: new(int64(50)), WarnPercent: 80, Mode: sdk.LimitModeEnforce},
		Usage:   sdk.LimitUsage{Used: 12, Remaining: 38},
	}
)
