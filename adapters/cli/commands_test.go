package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// commandCase is a command line, and the last request that it makes, with its body.
type commandCase struct{ name, args, request string }

// Each command once as a table and once as JSON: what it prints stands in
// testdata, what it asks the API stands here.
func TestCommands(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(workflowCommands, []commandCase{
		{"org-create", "org create acme --admin-email ada@acme.example --name Acme", "GET /api/v0/organizations/" + orgID},
		{
			"org-create-no-wait", "org create acme --admin-email ada@acme.example --admin-name Ada --worker-pool gold --no-wait",
			`POST /api/v0/organizations {"admin":{"email":"ada@acme.example","name":"Ada"},"slug":"acme","worker_pool":"gold"}`,
		},
		{
			"org-create-adopt", "org create acme --admin-email ada@acme.example --adopt-namespace orders-production --no-wait",
			`POST /api/v0/organizations {"admin":{"email":"ada@acme.example"},"adopt_namespace":"orders-production","slug":"acme"}`,
		},
		{"org-list", "org list", "GET /api/v0/organizations?limit=200"},
		{"org-show", "org show acme", "GET /api/v0/organizations/acme"},
		{"org-show-own", "org show", "GET /api/v0/organizations/acme"},
		{
			"org-list-filter", "org list --state suspended --slug-prefix ac --metadata plan=gold --sort -slug",
			"GET /api/v0/organizations?limit=200&metadata=plan%3Dgold&slug_prefix=ac&sort=-slug&state=suspended",
		},
		{
			"org-update", "org update acme --name Acme --metadata tier=1 --remove-metadata plan --deletion-grace-days 0 --api-key-max-ttl-days 90 --protect --worker-pool gold",
			`PATCH /api/v0/organizations/acme {"deletion_protected":true,"metadata":{"tier":"1"},"name":"Acme","settings":{"api_key_max_ttl_days":90},"worker_pool":"gold"}`,
		},
		{"org-suspend", "org suspend acme --reason unpaid --yes", `POST /api/v0/organizations/acme/suspend {"reason":"unpaid"}`},
		{"org-diff", "org diff acme", "GET /api/v0/organizations/acme/namespace"},
		{"org-doctor", "org doctor acme --task-queue orders", `POST /api/v0/organizations/acme/doctor {"task_queues":["orders"]}`},
		{"org-reconcile", "org reconcile acme", "POST /api/v0/organizations/acme/namespace/reconcile"},
		{"namespace-delete-orphan", "namespace delete-orphan org-lost-84sn02q0 --yes", "DELETE /api/v0/namespaces/orphans/org-lost-84sn02q0?confirm=org-lost-84sn02q0"},
		{"namespace-orphans", "namespace orphans", "GET /api/v0/namespaces/orphans?limit=200"},
		{"org-resume", "org resume acme", "POST /api/v0/organizations/acme/resume"},
		{"org-delete", "org delete acme --yes", "DELETE /api/v0/organizations/acme?confirm=acme"},
		{"org-delete-now", "org delete acme --now --yes", "GET /api/v0/organizations/" + orgID},
		{"org-restore", "org restore acme", "POST /api/v0/organizations/acme/restore"},
		{"operation-show", "operation show " + opID, "GET /api/v0/operations/" + opID},
		{"operation-list", "operation list --org acme", "GET /api/v0/organizations/acme/operations?limit=200"},
		{"operation-wait", "operation wait " + opID, "GET /api/v0/operations/" + opID + "?wait=1"},
		{"operation-retry", "operation retry " + opID, "GET /api/v0/operations/" + opID + "?wait=1"},
		{"operation-retry-no-wait", "operation retry " + opID + " --no-wait", "POST /api/v0/operations/" + opID + "/retry"},
		{
			"user-add", "user add grace@acme.example --org acme --role member",
			`POST /api/v0/organizations/acme/users {"email":"grace@acme.example","role":"member"}`,
		},
		{"user-list", "user list", "GET /api/v0/organizations/acme/users?limit=200"},
		{
			"apikey-create", "apikey create ci --user ADA@acme.example --scope workflows:start --scope workflows:read --expires-in 30d",
			`POST /api/v0/organizations/acme/api-keys {"expires_at":"2030-02-01T03:04:05Z","name":"ci","scopes":["workflows:start","workflows:read"],"user_id":"` + adaID + `"}`,
		},
		{
			"apikey-create-organization", "apikey create ci --org acme --scope workflows:start --requests 100/1m/10",
			`POST /api/v0/organizations/acme/api-keys {"limits":{"requests":{"burst":10,"count":100,"period_seconds":60}},"name":"ci","scopes":["workflows:start"]}`,
		},
		{"apikey-list", "apikey list --org acme", "GET /api/v0/organizations/acme/api-keys?limit=200"},
		{"apikey-revoke", "apikey revoke " + keyID + " --org acme --yes", "POST /api/v0/organizations/acme/api-keys/" + keyID + "/revoke"},
		{"apikey-list-filtered", "apikey list --org acme --state active --expires-soon --user " + adaID, "GET /api/v0/organizations/acme/api-keys?expires_soon=true&limit=200&state=active&user=" + adaID},
		{"apikey-get", "apikey get " + keyID + " --org acme", "GET /api/v0/organizations/acme/api-keys/" + keyID},
		{
			"apikey-update", "apikey update " + keyID + " --org acme --name deploy --allow-ip 192.0.2.7 --metadata team=a --expires-in 30d --requests=",
			"PATCH /api/v0/organizations/acme/api-keys/" + keyID + ` {"allowed_ips":["192.0.2.7"],"expires_at":"2030-02-01T03:04:05Z","limits":{},"metadata":{"team":"a"},"name":"deploy"}`,
		},
		{"apikey-rotate", "apikey rotate " + keyID + " --org acme --until-seen", "POST /api/v0/organizations/acme/api-keys/" + keyID + `/rotate {"until_seen":true}`},
		{"apikey-rotate-now", "apikey rotate " + keyID + " --org acme --grace 0s --yes", "POST /api/v0/organizations/acme/api-keys/" + keyID + `/rotate {"grace":0}`},
		{"apikey-disable", "apikey disable " + keyID + " --org acme", "POST /api/v0/organizations/acme/api-keys/" + keyID + "/disable"},
		{"apikey-enable", "apikey enable " + keyID + " --org acme", "POST /api/v0/organizations/acme/api-keys/" + keyID + "/enable"},
		{"apikey-delete", "apikey delete " + keyID + " --org acme --yes", "DELETE /api/v0/organizations/acme/api-keys/" + keyID},
		{"apikey-verify", "apikey verify --permission workflows:start --ip 192.0.2.7", `POST /api/v0/auth/verify {"ip":"192.0.2.7","key":"` + newKey + `","permissions":["workflows:start"]}`},
		{"apikey-report-leak", "apikey report-leak", `POST /api/v0/api-keys/report-leak {"key":"` + newKey + `"}`},
		{"apikey-peppers", "apikey peppers", ""},
		{
			"audit-list", "audit list --org acme --actor " + adaID + " --resource user/" + adaID + " --outcome refused --since 24h --limit 7",
			"GET /api/v0/organizations/acme/audit?actor=" + adaID + "&from=2030-01-01T03%3A04%3A05Z&limit=7&outcome=refused&resource_id=" + adaID + "&resource_type=user",
		},
		{"org-usage", "org usage acme", "GET /api/v0/organizations/acme/usage?limit=200"},
		{
			"org-usage-by-day", "org usage --org globex --by day --since 30d --until 2030-01-01T00:00:00Z",
			"GET /api/v0/organizations/globex/usage?by=day&from=2029-12-03T03%3A04%3A05Z&limit=200&to=2030-01-01T00%3A00%3A00Z",
		},
		{"audit-list-all", "audit list --all --action access.refused", "GET /api/v0/audit?action=access.refused&limit=50"},
		{"audit-get", "audit get " + eventID + " --org acme", "GET /api/v0/organizations/acme/audit/" + eventID},
		{"audit-verify", "audit verify --org acme", "POST /api/v0/organizations/acme/audit/verify"},
		{"org-limits-list", "org limits list acme", "GET /api/v0/organizations/acme/limits"},
		{
			"org-limits-set", "org limits set requests --org acme --count 600 --period 1m --burst 60 --warn-percent 90 --dry-run",
			`PUT /api/v0/organizations/acme/limits/requests {"burst":60,"count":600,"mode":"dry_run","period_seconds":60,"warn_percent":90}`,
		},
		{"org-limits-reset", "org limits reset users --org acme", "DELETE /api/v0/organizations/acme/limits/users"},
		{"pool-list", "pool list", "GET /api/v0/worker/pools"},
		{"pool-members", "pool members gold --replicas 2", "GET /api/v0/worker/pools?pool=gold&replicas=2"},
		{"org-allow-list-get", "org allow-list get acme", "GET /api/v0/organizations/acme/allow-list"},
		{
			"org-allow-list-set", `org allow-list set acme --rule {"role":"member","workflow_types":["Order*","Charge"]}`,
			`PUT /api/v0/organizations/acme/allow-list {"rules":[{"role":"member","workflow_types":["Order*","Charge"]}]}`,
		},
		{"role-list", "role list --org acme", "GET /api/v0/organizations/acme/roles?limit=200"},
		{"role-get", "role get viewer --org acme", "GET /api/v0/organizations/acme/roles/viewer"},
		{
			"role-create", "role create deployer --org acme --permission workflows:start --description CI",
			`POST /api/v0/organizations/acme/roles {"description":"CI","name":"deployer","permissions":["workflows:start"]}`,
		},
		{
			"role-update", "role update deployer --org acme --permission workflows:start --permission workflows:read --description=",
			`PATCH /api/v0/organizations/acme/roles/deployer {"description":"","permissions":["workflows:start","workflows:read"]}`,
		},
		{"role-delete", "role delete deployer --org acme --yes", "DELETE /api/v0/organizations/acme/roles/deployer"},
		{
			"schedule-create", "schedule create nightly --org acme --cron @daily --every 15m --type Report -q reports -i 1 --overlap skip",
			`POST /api/v0/organizations/acme/schedules {"action":{"input":[1],"task_queue":"reports","type":"Report"},"policy":{"overlap":"skip"},"schedule_id":"nightly","spec":{"crons":["@daily"],"intervals":[{"every_seconds":900}]}}`,
		},
		{"schedule-list", "schedule list --org acme", "GET /api/v0/organizations/acme/schedules?limit=200"},
		{"schedule-show", "schedule show nightly --org acme", "GET /api/v0/organizations/acme/schedules/nightly"},
		{
			"schedule-update", "schedule update nightly --org acme --overlap allow_all --type Other -q others --every 1h",
			`PATCH /api/v0/organizations/acme/schedules/nightly {"action":{"task_queue":"others","type":"Other"},"policy":{"catchup_window_seconds":60,"overlap":"allow_all","pause_on_failure":true},"spec":{"intervals":[{"every_seconds":3600}],"time_zone":"Europe/Berlin"}}`,
		},
		{"schedule-pause", "schedule pause nightly --org acme --note holiday", `POST /api/v0/organizations/acme/schedules/nightly/pause {"note":"holiday"}`},
		{"schedule-resume", "schedule resume nightly --org acme", `POST /api/v0/organizations/acme/schedules/nightly/resume {}`},
		{"schedule-pause-all", "schedule pause --all --org acme --note holiday --yes --no-wait", `POST /api/v0/organizations/acme/schedules/pause-all {"note":"holiday"}`},
		{"schedule-resume-all", "schedule resume --all --org acme --yes", "GET /api/v0/operations/" + opID + "?wait=1"},
		{"schedule-trigger", "schedule trigger nightly --org acme", `POST /api/v0/organizations/acme/schedules/nightly/trigger {}`},
		{
			"schedule-backfill", "schedule backfill nightly --org acme --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z --overlap buffer_all",
			`POST /api/v0/organizations/acme/schedules/nightly/backfill {"end_at":"2026-01-02T00:00:00Z","overlap":"buffer_all","start_at":"2026-01-01T00:00:00Z"}`,
		},
		{"schedule-delete", "schedule delete nightly --org acme --yes", "DELETE /api/v0/organizations/acme/schedules/nightly"},
		{"authz-explain", "authz explain tokens:write --actor " + adaID, "GET /api/v0/authz/explain?action=tokens%3Awrite&actor=" + adaID + "&resource=acme"},
		{"authz-explain-platform", "authz explain audit:list --platform", "GET /api/v0/authz/explain?action=audit%3Alist&resource=platform"},
		{"permission-list", "permission list", "GET /api/v0/authz/permissions"},
		{"whoami", "whoami", "GET /api/v0/auth/whoami"},
		{"token", "token", "POST /api/v0/auth/token {}"},
		{"token-read", "token --org acme --access read", `POST /api/v0/auth/token {"access":"read","organization":"acme"}`},
		{"migrate-status", "migrate status", ""},
		{"migrate-check", "migrate check", ""},
		{"bootstrap", "bootstrap", ""},
		{"bootstrap-new-key", "bootstrap --new-key", ""},
	}) {
		t.Run("Should do "+c.args, func(t *testing.T) {
			is := is.New(t)
			for _, format := range []string{"table", "json"} {
				w := newWorld(t)
				w.serve()
				w.env.In = strings.NewReader(newKey + "\n")
				code, out, err := w.run(append(strings.Fields(c.args), "--output", format)...)
				is.Equal(code, 0)
				request := w.last()
				is.Equal(strings.TrimSpace(request.line+" "+request.body), c.request)
				text := out
				if err != "" {
					text += "--- standard error\n" + err
				}
				golden(t, "commands/"+c.name+"."+format, text)
				if format == "json" {
					is.True(json.Valid([]byte(out)))
					is.Equal(err, "") // a program that reads JSON wants nothing else
				}
			}
		})
	}
	t.Run("Should print its version", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		for _, args := range [][]string{{"version"}, {"--version"}, {"-v"}} {
			code, out, _ := w.run(args...)
			is.Equal(code, 0)
			is.True(strings.HasPrefix(out, "bulkhead v1.2.3 (go"))
		}
		_, out, _ := w.run("version", "-o", "json")
		var v sdk.Version
		is.NoErr(json.Unmarshal([]byte(out), &v))
		is.Equal(v.Version, "v1.2.3")
	})
}

// TestKeysPage runs every command of the page about keys.
func TestKeysPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/security/api-keys.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		line, isCommand := strings.CutPrefix(line, "bulkhead ")
		if !isCommand {
			continue
		}
		ran++
		t.Run("Should do "+line, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			w.serve()
			w.env.In = strings.NewReader(newKey + "\n")
			line, _, _ = strings.Cut(strings.ReplaceAll(line, "KEY_ID", keyID), " < ")
			code, _, text := w.run(strings.Fields(line)...)
			t.Log(text)
			is.Equal(code, 0)
		})
	}
	if ran < 14 {
		t.Errorf("the page has %d commands", ran)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	t.Run("Should print a new key once, alone on the standard output", func(t *testing.T) {
		is := is.New(t)
		_, out, err := newWorld(t).run("apikey", "create", "ci", "--user", adaID)
		is.Equal(out, newKey+"\n") // so that KEY=$(bulkhead apikey create …) is the key
		is.True(strings.Contains(err, "only time"))
		is.True(!strings.Contains(err, newKey))
	})
	t.Run("Should print the operator's new key alone on the standard output", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.serve()
		_, out, err := w.run("bootstrap", "--new-key")
		is.Equal(out, newKey+"\n")
		is.True(strings.Contains(err, "only time"))
		is.True(!strings.Contains(err, newKey))
	})
	t.Run("Should take a key that is shown to it from the standard input alone, and say when it is not valid", func(t *testing.T) {
		is := is.New(t)
		for _, command := range []string{"verify", "report-leak"} {
			w := newWorld(t)
			code, _, _ := w.run("apikey", command, newKey)
			is.Equal(code, int(exitUsage)) // a command line is seen by others
			is.Equal(len(w.asked()), 0)
			w.env.In = strings.NewReader("\n")
			code, _, _ = w.run("apikey", command)
			is.Equal(code, int(exitUsage))
		}
		w := newWorld(t)
		w.env.In = strings.NewReader(newKey + "\n")
		w.answer("POST /auth/verify", 200, sdk.Verification{Code: sdk.VerificationCodeNOTFOUND})
		code, out, err := w.run("apikey", "verify")
		is.Equal(code, int(exitConflict))
		is.True(strings.Contains(out, "NOT_FOUND"))
		is.True(!strings.Contains(err, newKey))
	})
	t.Run("Should set a new key apart on a terminal only", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.serve()
		for _, line := range []string{"apikey create ci --user " + adaID, "bootstrap --new-key"} {
			w.env.OutTerminal = false
			_, _, err := w.run(strings.Fields(line)...)
			is.True(!strings.Contains(err, "\n\n"))
			w.env.OutTerminal = true
			_, _, err = w.run(strings.Fields(line)...)
			is.True(strings.Contains(err, "password.\n\n\nUse it:"))
		}
	})
	t.Run("Should send the word by which a change is done once, or one of its own", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		var sent []string
		w.answers["POST /organizations/acme/api-keys/"+keyID+"/revoke"] = func(out http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Header.Get("Idempotency-Key"))
			send(out, 200, sdk.APIKey{ID: keyID})
		}
		revoke := []string{"apikey", "revoke", keyID, "--org", "acme", "--yes"}
		code, _, _ := w.run(revoke...)
		is.Equal(code, 0)
		w.vars["BULKHEAD_IDEMPOTENCY_KEY"] = "night-of-1-March"
		code, _, _ = w.run(revoke...)
		is.Equal(code, 0)
		is.True(len(sent[0]) >= 20)
		is.Equal(sent[1], "night-of-1-March")
	})
	t.Run("Should read the key from a file", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		delete(w.vars, "BULKHEAD_API_KEY")
		file := filepath.Join(t.TempDir(), "key")
		is.NoErr(os.WriteFile(file, []byte(ownKey+"\n"), 0o600))
		code, _, _ := w.run("whoami", "--api-key-file", file)
		is.Equal(code, 0)
		is.NoErr(os.WriteFile(file, []byte("\n"), 0o600))
		code, _, _ = w.run("whoami", "--api-key-file", file)
		is.Equal(code, 4)
		code, _, _ = w.run("whoami", "--api-key-file", file+"x")
		is.Equal(code, 1)
	})
	t.Run("Should refuse a mangled key without showing it", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.vars["BULKHEAD_API_KEY"] = ownKey + " " + ownKey
		code, _, err := w.run("whoami") // run looks for the key in all that is printed
		is.Equal(code, 2)
		is.True(err != "")
	})
	t.Run("Should not show a key that an error repeats", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.problem("GET /auth/whoami", 400, "bad", "What is "+ownKey+"?", sdk.ProblemField{Pointer: ownKey, Detail: ownKey})
		code, _, err := w.run("whoami")
		is.Equal(code, 2)
		is.True(strings.Contains(err, "[redacted]"))
	})
	t.Run("Should have no flag for a key", func(t *testing.T) {
		is := is.New(t)
		code, _, err := newWorld(t).run("whoami", "--api-key", "bhk_x")
		is.Equal(code, 2)
		is.True(strings.Contains(err, "--api-key-file"))
	})
}

func TestOrganizationFlag(t *testing.T) {
	t.Parallel()
	t.Run("Should take the organization of the environment before asking whose key it is", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.vars["BULKHEAD_ORG"] = "acme"
		code, _, _ := w.run("user", "list")
		is.Equal(code, 0)
		is.Equal(len(w.asked()), 1)
	})
	t.Run("Should want an organization from an operator", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /auth/whoami", 200, sdk.Actor{Organization: sdk.OrganizationRef{Slug: "system"}})
		code, _, err := w.run("user", "list")
		is.Equal(code, 2)
		is.True(strings.Contains(err, "--org is needed"))
	})
}

func TestCreateOrganization(t *testing.T) {
	t.Parallel()
	// stages makes the operation take one more step each time that it is asked for.
	stages := func(w *world, ops ...sdk.Operation) {
		next := 0
		w.answers["GET /operations/"+opID] = func(out http.ResponseWriter, _ *http.Request) {
			send(out, 200, ops[min(next, len(ops)-1)])
			next++
		}
	}
	create := []string{"org", "create", "acme", "--admin-email", "ada@acme.example"}
	t.Run("Should say each step in a line where nobody watches", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		retried := operation(sdk.OperationStateRunning, "namespace_registered")
		retried.Attempts, retried.Failure, retried.FailureCode = 2, "temporal is away", "unavailable"
		stages(w, operation(sdk.OperationStatePending, ""), operation(sdk.OperationStateRunning, "namespace_registered"), retried,
			operation(sdk.OperationStateSucceeded, "organization_activated"))
		code, out, err := w.run(create...)
		is.Equal(code, 0)
		is.True(strings.HasPrefix(err, "Preparing organization acme\n  namespace registered\n"+
			"  namespace registered; attempt 2 failed: temporal is away (unavailable)\n  organization activated\n"))
		is.True(strings.Contains(out, "state         active"))
		is.True(strings.Contains(err, "bulkhead apikey create admin --org acme --user ada@acme.example"))
	})
	t.Run("Should move a line on a terminal and leave it with a mark", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.typing("")
		code, _, err := w.run(create...)
		is.Equal(code, 0)
		is.True(strings.Contains(err, eraseLine+doneMark+" Preparing organization acme: organization activated\n"))
	})
	t.Run("Should say why the work failed", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		failed := operation(sdk.OperationStateFailed, "")
		failed.Failure, failed.FailureCode = "the namespace is someone else's", "namespace.foreign"
		stages(w, failed)
		code, _, err := w.run(create...)
		is.Equal(code, 1)
		is.True(strings.Contains(err, "the namespace is someone else's (namespace.foreign)"))
		is.True(strings.Contains(err, "bulkhead org show acme"))
	})
	t.Run("Should not wait longer than told", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		stages(w, operation(sdk.OperationStateRunning, ""))
		code, _, err := w.run(append(create, "--timeout", "50ms")...)
		is.Equal(code, 6)
		is.True(strings.Contains(err, "the work goes on"))
	})
	t.Run("Should say how to follow the work when it is interrupted", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.answers["GET /operations/"+opID] = func(out http.ResponseWriter, _ *http.Request) {
			cancel()
			send(out, 200, operation(sdk.OperationStateRunning, ""))
		}
		code, out, err := w.runContext(ctx, create...)
		is.Equal(code, 130)
		is.Equal(out, "")
		is.True(strings.HasSuffix(err, "\ninterrupted; the organization is being prepared: bulkhead org show acme\n"))
	})
}

func TestWorkflowResult(t *testing.T) {
	t.Parallel()
	result := func(w *world, r sdk.WorkflowResult) {
		r.WorkflowID = "greet-1"
		w.answer("GET /organizations/acme/workflows/greet-1/result", 200, r)
	}
	waiting := func(d string) []string {
		return []string{"workflow", "result", "greet-1", "--org", "acme", "--wait", d}
	}
	ask := waiting("0s")
	for status, want := range map[sdk.WorkflowStatus]int{
		sdk.WorkflowStatusFailed: 7, sdk.WorkflowStatusCanceled: 7, sdk.WorkflowStatusTerminated: 7, sdk.WorkflowStatusTimedOut: 7,
		sdk.WorkflowStatusRunning: 6, sdk.WorkflowStatusPaused: 6,
	} {
		t.Run("Should tell by the exit code that it is "+string(status), func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			result(w, sdk.WorkflowResult{Status: status, Failure: sdk.WorkflowFailure{Message: "no name"}})
			code, out, err := w.run(ask...)
			is.Equal(code, want)
			is.Equal(out, "")
			is.True(strings.Contains(err, string(status)))
			code, out, _ = w.run(append(ask, "-o", "json")...)
			is.Equal(code, want)
			is.True(strings.Contains(out, `"status": "`+string(status)+`"`)) // programs get the whole answer too
		})
	}
	t.Run("Should stop waiting when the time is over and say how it stands", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		result(w, sdk.WorkflowResult{Status: sdk.WorkflowStatusRunning})
		code, _, err := w.run(waiting("50ms")...)
		is.Equal(code, 6)
		is.True(strings.Contains(err, "is running"))
		is.True(strings.HasSuffix(err, "\nIs a worker running that serves its task queue and type? bulkhead workflow show greet-1 --org acme\n"+
			"To wait longer: --wait 5m\n"))
	})
	t.Run("Should tell a person that it waits", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.env.ErrTerminal = true
		_, _, err := w.run(waiting("1m")...)
		is.Equal(err, "Waiting for greet-1 (Ctrl-C is safe)\n")
		_, _, err = w.run(append(waiting("1m"), "-o", "json")...)
		is.Equal(err, "")
		_, _, err = w.run(ask...) // which does not wait
		is.Equal(err, "")
	})
	t.Run("Should print nothing for a workflow that returned nothing", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		result(w, sdk.WorkflowResult{Status: sdk.WorkflowStatusCompleted})
		code, out, _ := w.run(ask...)
		is.Equal(code, 0)
		is.Equal(out, "")
	})
	t.Run("Should help with an input that lacks its quotes", func(t *testing.T) {
		is := is.New(t)
		code, _, err := newWorld(t).run("workflow", "start", "-t", "Greet", "-q", "default", "-i", "it's Ada")
		is.Equal(code, 2)
		is.True(strings.Contains(err, `--input '"it'\''s Ada"'`)) // ready to paste
	})
}
