package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// operations calls every method of the client once, by what the document calls it.
var operations = with(workflowOperations, with(batchOperations, with(scheduleOperations, map[string]func(context.Context, *Client) error{
	"GET /livez":                 func(ctx context.Context, c *Client) error { _, err := c.Liveness(ctx); return err },
	"GET /readyz":                func(ctx context.Context, c *Client) error { _, err := c.Readiness(ctx); return err },
	"GET /version":               func(ctx context.Context, c *Client) error { _, err := c.Version(ctx); return err },
	"GET /.well-known/jwks.json": func(ctx context.Context, c *Client) error { _, err := c.KeySet(ctx); return err },
	"GET /api/v0/auth/whoami":    func(ctx context.Context, c *Client) error { _, err := c.Whoami(ctx); return err },
	"POST /api/v0/auth/token": func(ctx context.Context, c *Client) error {
		_, err := c.Token(ctx, TokenRequest{Organization: "{org}"})
		return err
	},
	"POST /api/v0/organizations": func(ctx context.Context, c *Client) error {
		_, err := c.CreateOrganization(ctx, OrganizationCreate{Slug: "acme"}, 0)
		return err
	},
	"GET /api/v0/organizations": func(ctx context.Context, c *Client) error {
		_, err := c.ListOrganizations(ctx, OrganizationFilter{}, ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}": func(ctx context.Context, c *Client) error {
		_, err := c.Organization(ctx, "{org}")
		return err
	},
	"PATCH /api/v0/organizations/{org}": func(ctx context.Context, c *Client) error {
		_, err := c.UpdateOrganization(ctx, "{org}", `"1"`, OrganizationUpdate{Name: "Acme"})
		return err
	},
	"DELETE /api/v0/organizations/{org}": func(ctx context.Context, c *Client) error {
		_, err := c.DeleteOrganization(ctx, "{org}", Deletion{Slug: "acme", ETag: AnyVersion, Now: true})
		return err
	},
	"POST /api/v0/organizations/{org}/suspend": func(ctx context.Context, c *Client) error {
		_, err := c.SuspendOrganization(ctx, "{org}", "unpaid")
		return err
	},
	"GET /api/v0/organizations/{org}/namespace": func(ctx context.Context, c *Client) error {
		_, err := c.Namespace(ctx, "{org}")
		return err
	},
	"POST /api/v0/organizations/{org}/namespace/reconcile": func(ctx context.Context, c *Client) error {
		_, err := c.ReconcileNamespace(ctx, "{org}")
		return err
	},
	"POST /api/v0/organizations/{org}/resume": func(ctx context.Context, c *Client) error {
		_, err := c.ResumeOrganization(ctx, "{org}")
		return err
	},
	"POST /api/v0/organizations/{org}/restore": func(ctx context.Context, c *Client) error {
		_, err := c.RestoreOrganization(ctx, "{org}")
		return err
	},
	"GET /api/v0/organizations/{org}/operations": func(ctx context.Context, c *Client) error {
		_, err := c.ListOperations(ctx, "{org}", ListOptions{})
		return err
	},
	"POST /api/v0/operations/{operation}/retry": func(ctx context.Context, c *Client) error {
		_, err := c.RetryOperation(ctx, "{operation}")
		return err
	},
	"POST /api/v0/organizations/{org}/users": func(ctx context.Context, c *Client) error {
		_, err := c.CreateUser(ctx, "{org}", UserCreate{})
		return err
	},
	"GET /api/v0/organizations/{org}/users/{user}/activity": func(ctx context.Context, c *Client) error {
		_, err := c.UserActivity(ctx, "{org}", "{user}")
		return err
	},
	"PATCH /api/v0/organizations/{org}/users/{user}": func(ctx context.Context, c *Client) error {
		_, err := c.UpdateUser(ctx, "{org}", "{user}", AnyVersion, UserUpdate{Name: "Grace"})
		return err
	},
	"DELETE /api/v0/organizations/{org}/users/{user}": func(ctx context.Context, c *Client) error {
		_, err := c.RemoveUser(ctx, "{org}", "{user}", AnyVersion)
		return err
	},
	"POST /api/v0/organizations/{org}/users/{user}/suspend": func(ctx context.Context, c *Client) error {
		_, err := c.SuspendUser(ctx, "{org}", "{user}", "away")
		return err
	},
	"POST /api/v0/organizations/{org}/users/{user}/resume": func(ctx context.Context, c *Client) error {
		_, err := c.ResumeUser(ctx, "{org}", "{user}")
		return err
	},
	"POST /api/v0/organizations/{org}/users/bulk": func(ctx context.Context, c *Client) error {
		_, err := c.BulkUsers(ctx, "{org}", UserBulk{Operations: []UserBulkOperation{{Op: UserBulkOperationOpAdd}}})
		return err
	},
	"GET /api/v0/organizations/{org}/users": func(ctx context.Context, c *Client) error {
		_, err := c.ListUsers(ctx, "{org}", UserFilter{}, ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/users/{user}": func(ctx context.Context, c *Client) error {
		_, err := c.User(ctx, "{org}", "{user}")
		return err
	},
	"GET /api/v0/organizations/{org}/allow-list": func(ctx context.Context, c *Client) error { return only(c.AllowList(ctx, "{org}")) },
	"PUT /api/v0/organizations/{org}/allow-list": func(ctx context.Context, c *Client) error {
		return only(c.SetAllowList(ctx, "{org}", AnyVersion, AllowListUpdate{}))
	},
	"GET /api/v0/organizations/{org}/limits":         func(ctx context.Context, c *Client) error { return only(c.Limits(ctx, "{org}")) },
	"GET /api/v0/organizations/{org}/limits/{limit}": func(ctx context.Context, c *Client) error { return only(c.Limit(ctx, "{org}", "{limit}")) },
	"PUT /api/v0/organizations/{org}/limits/{limit}": func(ctx context.Context, c *Client) error {
		return only(c.SetLimit(ctx, "{org}", "{limit}", AnyVersion, LimitUpdate{}))
	},
	"DELETE /api/v0/organizations/{org}/limits/{limit}": func(ctx context.Context, c *Client) error {
		return only(c.ResetLimit(ctx, "{org}", "{limit}", AnyVersion))
	},
	"POST /api/v0/organizations/{org}/roles":       func(ctx context.Context, c *Client) error { return only(c.CreateRole(ctx, "{org}", RoleCreate{})) },
	"GET /api/v0/organizations/{org}/roles":        func(ctx context.Context, c *Client) error { return only(c.ListRoles(ctx, "{org}", ListOptions{})) },
	"GET /api/v0/organizations/{org}/roles/{role}": func(ctx context.Context, c *Client) error { return only(c.Role(ctx, "{org}", "{role}")) },
	"PATCH /api/v0/organizations/{org}/roles/{role}": func(ctx context.Context, c *Client) error {
		return only(c.UpdateRole(ctx, "{org}", "{role}", AnyVersion, RoleUpdate{}))
	},
	"DELETE /api/v0/organizations/{org}/roles/{role}": func(ctx context.Context, c *Client) error {
		return c.DeleteRole(ctx, "{org}", "{role}", AnyVersion)
	},
	"GET /api/v0/authz/permissions": func(ctx context.Context, c *Client) error { _, err := c.Permissions(ctx); return err },
	"GET /api/v0/authz/explain": func(ctx context.Context, c *Client) error {
		return only(c.Explain(ctx, Question{Action: "users:read", Resource: "acme"}))
	},
	"POST /api/v0/organizations/{org}/api-keys": func(ctx context.Context, c *Client) error {
		_, err := c.CreateAPIKey(ctx, "{org}", APIKeyCreate{})
		return err
	},
	"GET /api/v0/organizations/{org}/api-keys": func(ctx context.Context, c *Client) error {
		_, err := c.ListAPIKeys(ctx, "{org}", APIKeyFilter{}, ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/api-keys/{api_key}": func(ctx context.Context, c *Client) error {
		_, err := c.APIKey(ctx, "{org}", "{api_key}")
		return err
	},
	"POST /api/v0/organizations/{org}/api-keys/{api_key}/revoke": func(ctx context.Context, c *Client) error {
		_, err := c.RevokeAPIKey(ctx, "{org}", "{api_key}")
		return err
	},
	"PATCH /api/v0/organizations/{org}/api-keys/{api_key}": func(ctx context.Context, c *Client) error {
		_, err := c.UpdateAPIKey(ctx, "{org}", "{api_key}", AnyVersion, APIKeyUpdate{})
		return err
	},
	"DELETE /api/v0/organizations/{org}/api-keys/{api_key}": func(ctx context.Context, c *Client) error {
		return c.DeleteAPIKey(ctx, "{org}", "{api_key}", AnyVersion)
	},
	"POST /api/v0/organizations/{org}/api-keys/{api_key}/rotate": func(ctx context.Context, c *Client) error {
		_, err := c.RotateAPIKey(ctx, "{org}", "{api_key}", APIKeyRotate{})
		return err
	},
	"POST /api/v0/organizations/{org}/api-keys/{api_key}/disable": func(ctx context.Context, c *Client) error {
		_, err := c.DisableAPIKey(ctx, "{org}", "{api_key}")
		return err
	},
	"POST /api/v0/organizations/{org}/api-keys/{api_key}/enable": func(ctx context.Context, c *Client) error {
		_, err := c.EnableAPIKey(ctx, "{org}", "{api_key}")
		return err
	},
	"POST /api/v0/auth/verify": func(ctx context.Context, c *Client) error {
		_, err := c.VerifyAPIKey(ctx, VerifyRequest{})
		return err
	},
	"POST /api/v0/api-keys/report-leak": func(ctx context.Context, c *Client) error {
		_, err := c.ReportLeakedAPIKey(ctx, LeakReport{})
		return err
	},
	"GET /api/v0/operations/{operation}": func(ctx context.Context, c *Client) error {
		_, err := c.Operation(ctx, "{operation}", 0)
		return err
	},
	"GET /api/v0/organizations/{org}/usage": func(ctx context.Context, c *Client) error {
		_, err := c.ListUsage(ctx, "{org}", UsageFilter{By: UsageGroupingDay}, ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/audit": func(ctx context.Context, c *Client) error {
		_, err := c.ListAuditEvents(ctx, "{org}", AuditFilter{}, ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/audit/export": func(ctx context.Context, c *Client) error {
		_, err := c.ExportAuditEvents(ctx, "{org}", time.Time{}, time.Time{}, io.Discard)
		if errors.Is(err, errCutShort) { // as it is: the answer has no end
			return nil
		}
		return err
	},
	"POST /api/v0/organizations/{org}/audit/verify": func(ctx context.Context, c *Client) error {
		_, err := c.VerifyAuditTrail(ctx, "{org}")
		return err
	},
	"GET /api/v0/organizations/{org}/audit/{event}": func(ctx context.Context, c *Client) error {
		_, err := c.AuditEvent(ctx, "{org}", "{event}")
		return err
	},
	"GET /api/v0/audit": func(ctx context.Context, c *Client) error {
		_, err := c.ListPlatformAuditEvents(ctx, AuditFilter{}, ListOptions{})
		return err
	},
	"GET /api/v0/worker/assignments": func(ctx context.Context, c *Client) error {
		_, _, err := c.Assignments(ctx, AssignmentQuery{}, "", 0)
		return err
	},
})))

// notForClients are the operations that somebody else calls.
var notForClients = []string{"POST /api/v0/secret-scanning/github"}

func TestOperations(t *testing.T) {
	t.Parallel()
	ours := slices.DeleteFunc(documented(t), func(name string) bool { return slices.Contains(notForClients, name) })
	for _, name := range ours {
		t.Run("Should have a method for "+name, func(t *testing.T) {
			is := is.New(t)
			call := operations[name]
			is.True(call != nil) // the document has an operation that the client lacks, or that this table lacks
			var asked string
			c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.Path
				answer(w, 200, `{}`)
			})
			is.NoErr(call(t.Context(), c))
			is.Equal(asked, name)
		})
	}
	t.Run("Should have no method for what is not documented", func(t *testing.T) {
		is := is.New(t)
		is.Equal(len(operations), len(ours))
	})
}

func TestOrganizations(t *testing.T) {
	t.Parallel()
	t.Run("Should send the version that a change is meant for, and tell none from none named", func(t *testing.T) {
		is := is.New(t)
		var body string
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			is.Equal(r.Header.Get("If-Match"), `"7"`)
			b, _ := io.ReadAll(r.Body)
			body = string(b)
			answer(w, 412, `{"code":"request.stale","detail":"changed"}`)
		})
		for in, want := range map[*OrganizationUpdate]string{
			{Name: "A"}: `{"name":"A"}`,
			{Metadata: &Metadata{}, Settings: &OrganizationSettings{}, DeletionProtected: new(bool)}: `{"deletion_protected":false,"metadata":{},"settings":{}}`,
		} {
			_, err := c.UpdateOrganization(t.Context(), "acme", `"7"`, *in)
			is.True(IsStale(err))
			is.Equal(body, want)
		}
	})
	t.Run("Should send the confirmation of a deletion", func(t *testing.T) {
		is := is.New(t)
		var asked []string
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.RawQuery+" "+r.Header.Get("If-Match"))
			answer(w, 202, `{}`)
		})
		for _, d := range []Deletion{{Slug: "acme", ETag: `"7"`}, {Slug: "acme", ETag: AnyVersion, Now: true}} {
			_, err := c.DeleteOrganization(t.Context(), "acme", d)
			is.NoErr(err)
		}
		is.Equal(asked, []string{`confirm=acme "7"`, "confirm=acme&now=true *"})
	})
	t.Run("Should send a filter", func(t *testing.T) {
		is := is.New(t)
		c, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			is.Equal(r.URL.RawQuery, "limit=200&metadata=plan%3Dgold&slug_prefix=ac&sort=-slug&state=suspended")
			answer(w, 200, `{"items":[]}`)
		})
		f := OrganizationFilter{State: OrganizationStateSuspended, SlugPrefix: "ac", Metadata: "plan=gold", Sort: "-slug"}
		for _, err := range c.AllOrganizations(t.Context(), f) {
			is.NoErr(err)
		}
	})
}

func TestArguments(t *testing.T) {
	t.Parallel()
	t.Run("Should encode arguments in order", func(t *testing.T) {
		is := is.New(t)
		in, err := Arguments("Ada", 3, map[string]any{"a": nil})
		is.NoErr(err)
		is.Equal(fmt.Sprintf("%s", in), `["Ada" 3 {"a":null}]`)
		_, err = Arguments(1, make(chan int))
		is.True(err != nil && strings.Contains(err.Error(), "argument 2"))
	})
	t.Run("Should know which states are final", func(t *testing.T) {
		is := is.New(t)
		open := []WorkflowStatus{WorkflowStatusRunning, WorkflowStatusPaused, WorkflowStatusUnknown}
		for _, s := range []WorkflowStatus{
			"running", "completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out", "paused", "unknown",
		} {
			is.True(s.Valid())
			is.Equal(s.Closed(), !slices.Contains(open, s))
		}
	})
}

// only returns how a call ended.
func only[T any](_ T, err error) error { return err }
