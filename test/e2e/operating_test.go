package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// TestOperating is what becomes of one organization and of the platform when
// something beside them is broken or overdone, on one stack.
func TestOperating(t *testing.T) {
	t.Parallel()
	s := harness.NewStack(t)
	for name, check := range map[string]func(*testing.T, *harness.Stack){
		"Should answer what fails open and refuse what fails closed while Redis is away, and limit again after": checkLimiterOutage,
		"Should terminate what a query chooses, and nothing else":                                               checkBatch,
		"Should see and repair what was changed at Temporal itself":                                             checkDrift,
		"Should start only what the allow-list lets a role start":                                               checkAllowList,
		"Should leave other organizations their connections to the database":                                    checkGate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, s)
		})
	}
}

// codeOf is the code of a problem; "" for success.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	problem, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		t.Fatalf("no problem, but: %v", err)
	}
	return problem.Code
}

// anotherClient is a client of another API process of the stack.
func anotherClient(t *testing.T, url, key string) *sdk.Client {
	t.Helper()
	c, err := sdk.New(sdk.Config{URL: url, APIKey: key, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkLimiterOutage ends the Redis of the limiter while somebody asks all the time.
func checkLimiterOutage(t *testing.T, s *harness.Stack) {
	t.Helper()
	is := is.New(t)
	tenant, other := s.NewTenant(t, "limited"), s.NewTenant(t, "unlimited")
	redis := harness.Redis(t)
	url, api := s.With(t, "BULKHEAD_LIMITER_REDIS_URL="+redis.URL, "BULKHEAD_LIMITS=requests=6000000/1m/6000000,workflow_starts=60/1h/3")
	api.Start(t)
	api.AwaitStatus(t, "/readyz", http.StatusOK)
	client := anotherClient(t, url, tenant.Key)
	startOf := func(c *sdk.Client, org string) error {
		_, err := c.StartWorkflow(t.Context(), org, sdk.WorkflowStart{Type: "Any", TaskQueue: "nobody"})
		return err
	}
	start := func() error { return startOf(client, "limited") }
	isLimited := func() bool { // tells the rate as long as the buckets are asked
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v0/auth/whoami", nil)
		is.NoErr(err)
		r.Header.Set("Authorization", "Bearer "+tenant.Key)
		res, err := http.DefaultClient.Do(r)
		is.NoErr(err)
		is.NoErr(res.Body.Close())
		is.Equal(res.StatusCode, http.StatusOK)
		return res.Header.Get("RateLimit") != ""
	}
	// A machine that does much else lets Redis answer too late at times, and then nothing is
	// started, either.
	refusedAfterThree := func() {
		started := 0
		harness.Eventually(t, "some, and no more, may be started", func() bool {
			code := codeOf(t, start())
			if code == "" {
				started++
				is.True(started <= 3)
			}
			return started > 0 && code == "limit.rate_exceeded"
		})
	}
	refusedAfterThree()
	harness.Eventually(t, "the buckets are asked", isLimited)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	var asked, failed atomic.Int64
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.Whoami(ctx); err != nil && ctx.Err() == nil {
					failed.Add(1)
				}
				asked.Add(1)
			}
		})
	}
	redis.Kill()
	is.True(!isLimited())
	counted := anotherClient(t, url, other.Key)
	for range 20 {
		problem, ok := errors.AsType[*sdk.Error](startOf(counted, "unlimited"))
		is.True(ok) // nothing is started that nobody counts
		is.Equal(problem.Status, http.StatusServiceUnavailable)
		is.True(problem.RetryAfter > 0)
		problem, ok = errors.AsType[*sdk.Error](start())
		is.True(ok) // of whom it is known that they may not, that may be the reason
		is.True(problem.Status == http.StatusServiceUnavailable || problem.Status == http.StatusTooManyRequests)
		is.True(problem.RetryAfter > 0)
	}
	during := asked.Load()
	redis.Start(t)
	harness.Eventually(t, "the buckets are asked again", isLimited)
	refusedAfterThree() // in a Redis that has forgotten everything
	stop()
	load.Wait()
	is.Equal(failed.Load(), int64(0))
	is.True(asked.Load() > during && during > 0)
}

// checkBatch terminates by a query, over HTTP.
func checkBatch(t *testing.T, s *harness.Stack) {
	t.Helper()
	is := is.New(t)
	tenant, other := s.NewTenant(t, "bulky"), s.NewTenant(t, "unbulky")
	begin := func(of harness.Tenant, workflowType string) string {
		w, err := of.Client.StartWorkflow(t.Context(), of.Org.Slug, sdk.WorkflowStart{Type: workflowType, TaskQueue: "nobody"})
		is.NoErr(err)
		return w.WorkflowID
	}
	status := func(of harness.Tenant, id string) sdk.WorkflowStatus {
		w, err := of.Client.DescribeWorkflow(t.Context(), of.Org.Slug, id, "")
		is.NoErr(err)
		return w.Status
	}
	chosen := []string{begin(tenant, "Doomed"), begin(tenant, "Doomed"), begin(tenant, "Doomed")}
	beside, foreign := begin(tenant, "Kept"), begin(other, "Doomed")
	const query = `WorkflowType = "Doomed"`
	harness.Eventually(t, "all are listed", func() bool {
		n, err := tenant.Client.CountWorkflows(t.Context(), "bulky", query)
		return err == nil && n.Count == int64(len(chosen))
	})
	b, err := tenant.Client.BatchTerminateWorkflows(t.Context(), "bulky", sdk.WorkflowBatchTerminate{Query: query, Reason: "too many"})
	is.NoErr(err)
	b, err = tenant.Client.AwaitWorkflowBatch(t.Context(), "bulky", b.ID, nil)
	is.NoErr(err)
	is.Equal(b.State, sdk.WorkflowBatchStateCompleted)
	for _, id := range chosen {
		is.Equal(status(tenant, id), sdk.WorkflowStatusTerminated)
	}
	is.Equal(status(tenant, beside), sdk.WorkflowStatusRunning)
	is.Equal(status(other, foreign), sdk.WorkflowStatusRunning)
	_, err = other.Client.WorkflowBatch(t.Context(), "bulky", b.ID)
	is.True(sdk.IsNotFound(err))
}

// checkDrift changes a namespace past Bulkhead, and has the CLI find and repair it.
func checkDrift(t *testing.T, s *harness.Stack) {
	t.Helper()
	is := is.New(t)
	tenant := s.NewTenant(t, "drifting")
	run := func(code int, args ...string) string {
		t.Helper()
		out := s.Command(t, tenant.Key, append([]string{"org"}, args...)...)
		if out.Code != code {
			t.Fatalf("org %v: exit %d\n%s%s", args, out.Code, out.Stdout, out.Stderr)
		}
		return out.Stdout
	}
	run(0, "diff", "drifting")
	admin := dial(t, &sdk.Token{Token: s.Mint(t, "temporal-system:admin"), TemporalAddress: s.Temporal.Address}, tenant.Org.Namespace)
	_, err := admin.WorkflowService().UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{
		Namespace:  tenant.Org.Namespace,
		UpdateInfo: &namespacepb.UpdateNamespaceInfo{Description: "mine"},
		Config:     &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(10 * 24 * time.Hour)},
	})
	is.NoErr(err)
	drift := run(1, "diff", "drifting")
	is.True(strings.Contains(drift, "retention") && strings.Contains(drift, "10 days"))
	is.True(strings.Contains(drift, "description") && strings.Contains(drift, "mine"))
	is.True(strings.Contains(run(1, "doctor", "drifting"), "bulkhead org reconcile drifting"))
	run(0, "reconcile", "drifting")
	run(0, "diff", "drifting")
	is.True(strings.Contains(run(0, "doctor", "drifting"), "completed by a worker after"))
}

// checkAllowList bounds what members may start.
func checkAllowList(t *testing.T, s *harness.Stack) {
	t.Helper()
	is := is.New(t)
	tenant := s.NewTenant(t, "choosy")
	u, err := tenant.Client.CreateUser(t.Context(), "choosy", sdk.UserCreate{Email: "m@choosy.example", Role: "member"})
	is.NoErr(err)
	key, err := tenant.Client.CreateAPIKey(t.Context(), "choosy", sdk.APIKeyCreate{Name: "member", UserID: u.ID})
	is.NoErr(err)
	member := s.Client(t, key.Secret)
	start := func(by *sdk.Client, workflowType, queue string) string {
		_, err := by.StartWorkflow(t.Context(), "choosy", sdk.WorkflowStart{Type: workflowType, TaskQueue: queue})
		return codeOf(t, err)
	}
	is.Equal(start(member, "Payroll", "payroll"), "")
	before, err := tenant.Client.AllowList(t.Context(), "choosy")
	is.NoErr(err)
	_, err = tenant.Client.SetAllowList(t.Context(), "choosy", before.Etag, sdk.AllowListUpdate{
		Rules: []sdk.AllowRule{{Role: "member", WorkflowTypes: []string{"Order*"}, TaskQueues: []string{"orders"}}},
	})
	is.NoErr(err)
	is.Equal(start(member, "OrderSmall", "orders"), "")
	is.Equal(start(member, "Payroll", "orders"), "workflow.not_allowed")
	is.Equal(start(member, "OrderSmall", "payroll"), "workflow.not_allowed")
	is.Equal(start(tenant.Client, "Payroll", "payroll"), "") // an admin, whom no rule names
	_, err = member.CreateSchedule(t.Context(), "choosy", sdk.ScheduleCreate{
		ScheduleID: "roundabout", Spec: sdk.ScheduleSpec{Crons: []string{"0 3 * * *"}}, Action: sdk.ScheduleAction{Type: "Payroll", TaskQueue: "payroll"},
	})
	is.Equal(codeOf(t, err), "workflow.not_allowed")
}

// checkGate has the requests of one organization wait for a lock of its row, which
// the test holds: as many as may, and more.
func checkGate(t *testing.T, s *harness.Stack) {
	t.Helper()
	is := is.New(t)
	const share, waiting, beyond = 8 / 4, 128, 40
	url, api := s.With(t, "BULKHEAD_DATABASE_MAX_CONNS=8")
	api.Start(t)
	api.AwaitStatus(t, "/readyz", http.StatusOK)
	slow, quick := s.NewTenant(t, "slow"), s.NewTenant(t, "quick")
	conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	is.NoErr(err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	lock, err := conn.Begin(t.Context())
	is.NoErr(err)
	_, err = lock.Exec(t.Context(), `SELECT 1 FROM organizations WHERE slug = 'slow' FOR UPDATE`)
	is.NoErr(err)

	client := anotherClient(t, url, slow.Key)
	var all sync.WaitGroup
	var refused, done, other atomic.Int64
	for range share*(1+waiting) + beyond {
		all.Go(func() {
			_, err := client.UpdateOrganization(t.Context(), "slow", sdk.AnyVersion, sdk.OrganizationUpdate{Name: "Slow"})
			problem, _ := errors.AsType[*sdk.Error](err)
			switch {
			case err == nil:
				done.Add(1)
			case problem != nil && problem.Status == http.StatusTooManyRequests && problem.Code == "limit.concurrency_exceeded" && problem.RetryAfter > 0:
				refused.Add(1)
			default:
				other.Add(1)
			}
		})
	}
	harness.Eventually(t, "no more may wait", func() bool { return refused.Load() == beyond })
	neighbour := anotherClient(t, url, quick.Key)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // of a machine that does much else
		_, err := neighbour.ListUsers(ctx, "quick", sdk.UserFilter{}, sdk.ListOptions{})
		cancel()
		is.NoErr(err)
	}
	api.AwaitStatus(t, "/readyz", http.StatusOK)
	is.Equal(done.Load()+other.Load(), int64(0)) // they still wait
	is.NoErr(lock.Rollback(t.Context()))
	all.Wait()
	is.Equal(refused.Load(), int64(beyond))
	is.Equal(done.Load(), int64(share*(1+waiting)))
}
