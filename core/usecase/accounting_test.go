package usecase_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// reach says whose things a method is for.
type reach int

const (
	oneOrganization reach = iota // the one it is given
	operatorsAlone               // the one it is given, for operators
	actorsOwn                    // the actor's own; it is given none
	wholePlatform                // operators alone
	anybody                      // no permission is needed to ask
)

// accounted is what a method needs, and how to call it.
type accounted struct {
	reach reach
	needs authz.Permission
	call  func(s services, ctx context.Context, by authz.Actor, o id.Org) error
}

// account states, for each method that takes an actor, what it needs and how to
// call it.
var account = map[string]accounted{
	"apikeys.Create": {oneOrganization, authz.APIKeysCreate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, _, err := s.apikeys.Create(ctx, by, o, apikeys.CreateInput{Name: "n", Scopes: []string{"apikeys:create"}})
		return err
	}},
	"apikeys.Revoke": {oneOrganization, authz.APIKeysRevoke, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.apikeys.Revoke(ctx, by, o, id.New[id.APIKeyKind]())
		return err
	}},
	"apikeys.Update": {oneOrganization, authz.APIKeysUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.apikeys.Update(ctx, by, o, id.New[id.APIKeyKind](), 0, apikeys.UpdateInput{})
		return err
	}},
	"apikeys.Disable": {oneOrganization, authz.APIKeysUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.apikeys.Disable(ctx, by, o, id.New[id.APIKeyKind]())
		return err
	}},
	"apikeys.Enable": {oneOrganization, authz.APIKeysUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.apikeys.Enable(ctx, by, o, id.New[id.APIKeyKind]())
		return err
	}},
	"apikeys.Rotate": {oneOrganization, authz.APIKeysRotate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, _, err := s.apikeys.Rotate(ctx, by, o, id.New[id.APIKeyKind](), apikey.Rotation{})
		return err
	}},
	"apikeys.Delete": {oneOrganization, authz.APIKeysDelete, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.apikeys.Delete(ctx, by, o, id.New[id.APIKeyKind](), 0)
	}},
	"auth.Verify": {actorsOwn, authz.APIKeysVerify, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.auth.Verify(ctx, by, auth.VerifyInput{Key: unknownKey})
		return err
	}},
	"limits.List": {oneOrganization, authz.LimitsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.limits.List(ctx, by, o)
		return err
	}},
	"limits.Get": {oneOrganization, authz.LimitsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.limits.Get(ctx, by, o, limit.Requests)
		return err
	}},
	"limits.Set": {operatorsAlone, authz.LimitsUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.limits.Set(ctx, by, o, limit.Users, 0, limit.Spec{Max: new(int64)})
		return err
	}},
	"limits.Reset": {operatorsAlone, authz.LimitsUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.limits.Reset(ctx, by, o, limit.Users, 0)
		return err
	}},
	"leaks.Report": {wholePlatform, authz.APIKeysReport, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, _, err := s.leaks.Report(ctx, by, unknownKey)
		return err
	}},
	"apikeys.Get": {oneOrganization, authz.APIKeysRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.apikeys.Get(ctx, by, o, id.New[id.APIKeyKind]())
		return err
	}},
	"apikeys.List": {oneOrganization, authz.APIKeysRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.apikeys.List(ctx, by, o, apikeys.ListFilter{}, page.Request{Limit: 1})
		return err
	}},
	"assignments.List": {actorsOwn, authz.AssignmentsRead, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.assignments.List(ctx, by, assignments.Question{}, "", 0)
		return err
	}},
	"assignments.Pools": {wholePlatform, authz.AssignmentsRead, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.assignments.Pools(ctx, by, "", 0)
		return err
	}},
	"operations.Get": {actorsOwn, authz.OperationsRead, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.operations.Get(ctx, by, id.New[id.OperationKind](), 0)
		return err
	}},
	"metering.List": {oneOrganization, authz.UsageRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.metering.List(ctx, by, o, usage.Filter{}, page.Request{Limit: 1})
		return err
	}},
	"operations.List": {oneOrganization, authz.OperationsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.operations.List(ctx, by, o, page.Request{Limit: 1})
		return err
	}},
	"operations.Retry": {actorsOwn, authz.OperationsRetry, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.operations.Retry(ctx, by, id.New[id.OperationKind]())
		return err
	}},
	"orgs.Update": {oneOrganization, authz.OrganizationsUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Update(ctx, by, o, orgs.UpdateInput{DeletionProtected: new(bool)})
		return err
	}},
	"orgs.Delete": {oneOrganization, authz.OrganizationsDelete, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Delete(ctx, by, o, orgs.DeleteInput{Confirm: "own"})
		return err
	}},
	"orgs.Suspend": {operatorsAlone, authz.OrganizationsSuspend, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Suspend(ctx, by, o, "why")
		return err
	}},
	"orgs.Resume": {operatorsAlone, authz.OrganizationsSuspend, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Resume(ctx, by, o)
		return err
	}},
	"orgs.Restore": {operatorsAlone, authz.OrganizationsRestore, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Restore(ctx, by, o)
		return err
	}},
	"orgs.Create": {wholePlatform, authz.OrganizationsCreate, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.orgs.Create(ctx, by, orgs.CreateInput{Slug: "fresh", Admin: orgs.FirstAdmin{Email: "a@example.com"}})
		return err
	}},
	"orgs.List": {wholePlatform, authz.OrganizationsList, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.orgs.List(ctx, by, org.Filter{}, page.Request{Limit: 1})
		return err
	}},
	"orgs.Get": {oneOrganization, authz.OrganizationsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Get(ctx, by, o)
		return err
	}},
	"orgs.Resolve": {anybody, 0, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.orgs.Resolve(ctx, by, o.String())
		return err
	}},
	"roles.List": {oneOrganization, authz.RolesRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.roles.List(ctx, by, o, page.Request{Limit: 1})
		return err
	}},
	"roles.Get": {oneOrganization, authz.RolesRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.roles.Get(ctx, by, o, "ci")
		return err
	}},
	"roles.Create": {oneOrganization, authz.RolesCreate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.roles.Create(ctx, by, o, roles.CreateInput{Name: "ci", Permissions: []string{"roles:create"}})
		return err
	}},
	"roles.Update": {oneOrganization, authz.RolesUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.roles.Update(ctx, by, o, "ci", anyVersion, roles.UpdateInput{})
		return err
	}},
	"roles.Delete": {oneOrganization, authz.RolesDelete, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.roles.Delete(ctx, by, o, "ci", anyVersion)
	}},
	"roles.Explain": {oneOrganization, authz.AuthzExplain, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.roles.Explain(ctx, by, roles.Question{Actor: id.New[id.UserKind]().String(), Action: authz.UsersRead, Resource: o})
		return err
	}},
	"tokens.Exchange": {oneOrganization, authz.TokensWrite, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.tokens.Exchange(ctx, by, o, signing.Write)
		return err
	}},
	"trail.Get": {oneOrganization, authz.AuditRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.trail.Get(ctx, by, o, id.New[id.EventKind]())
		return err
	}},
	"trail.List": {oneOrganization, authz.AuditRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.trail.List(ctx, by, o, audit.Filter{}, page.Request{Limit: 1})
		return err
	}},
	"trail.ListAll": {wholePlatform, authz.AuditList, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.trail.ListAll(ctx, by, audit.Filter{}, page.Request{Limit: 1})
		return err
	}},
	"trail.Verify": {oneOrganization, authz.AuditRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.trail.Verify(ctx, by, o)
		return err
	}},
	"trail.Export": {oneOrganization, authz.AuditExport, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.trail.Export(ctx, by, o, time.Time{}, time.Time{}, &exported{})
	}},
	"users.Add": {oneOrganization, authz.UsersCreate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Add(ctx, by, o, users.AddInput{Email: "a@example.com", Role: authz.Viewer.String()})
		return err
	}},
	"users.Update": {oneOrganization, authz.UsersUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Update(ctx, by, o, id.New[id.UserKind](), 0, users.UpdateInput{Name: "n"})
		return err
	}},
	"users.Suspend": {oneOrganization, authz.UsersSuspend, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Suspend(ctx, by, o, id.New[id.UserKind](), "")
		return err
	}},
	"users.Resume": {oneOrganization, authz.UsersSuspend, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Resume(ctx, by, o, id.New[id.UserKind]())
		return err
	}},
	"users.Remove": {oneOrganization, authz.UsersRemove, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Remove(ctx, by, o, id.New[id.UserKind](), 0)
		return err
	}},
	"users.Activity": {oneOrganization, authz.AuditRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Activity(ctx, by, o, id.New[id.UserKind]())
		return err
	}},
	"users.Bulk": {oneOrganization, authz.UsersCreate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, _, err := s.users.Bulk(ctx, by, o, []users.BulkItem{{Op: users.BulkAdd, Add: users.AddInput{Email: "a@example.com", Role: "viewer"}}}, false)
		return err
	}},
	"users.Get": {oneOrganization, authz.UsersRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.Get(ctx, by, o, id.New[id.UserKind]())
		return err
	}},
	"users.List": {oneOrganization, authz.UsersRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.users.List(ctx, by, o, user.Filter{}, page.Request{Limit: 1})
		return err
	}},
	"schedules.Create": {oneOrganization, authz.SchedulesCreate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.Create(ctx, by, o, nightly)
		return err
	}},
	"schedules.Get": {oneOrganization, authz.SchedulesRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.Get(ctx, by, o, "nightly")
		return err
	}},
	"schedules.List": {oneOrganization, authz.SchedulesRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.List(ctx, by, o, page.TokenRequest{Limit: 1})
		return err
	}},
	"schedules.Update": {oneOrganization, authz.SchedulesUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.Update(ctx, by, o, "nightly", 0, schedule.Change{Policy: &schedule.Policy{}})
		return err
	}},
	"schedules.Pause": {oneOrganization, authz.SchedulesUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.Pause(ctx, by, o, "nightly", "")
		return err
	}},
	"schedules.Resume": {oneOrganization, authz.SchedulesUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.Resume(ctx, by, o, "nightly", "")
		return err
	}},
	"schedules.PauseAll": {oneOrganization, authz.SchedulesUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.PauseAll(ctx, by, o, "")
		return err
	}},
	"schedules.ResumeAll": {oneOrganization, authz.SchedulesUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.ResumeAll(ctx, by, o, "")
		return err
	}},
	"schedules.Trigger": {oneOrganization, authz.SchedulesTrigger, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.schedules.Trigger(ctx, by, o, "nightly", schedule.Overlap{})
	}},
	"schedules.Backfill": {oneOrganization, authz.SchedulesTrigger, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.schedules.Backfill(ctx, by, o, "nightly", lastHour)
		return err
	}},
	"schedules.Delete": {oneOrganization, authz.SchedulesDelete, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		return s.schedules.Delete(ctx, by, o, "nightly", 0)
	}},
}

// unknownKey has the form of a key, and is none.
var unknownKey = func() string {
	s, err := apikey.NewSecret(random)
	if err != nil {
		panic(err)
	}
	return s.Reveal()
}()

// withoutActor states why a method takes none, or takes one that it does not act for.
var withoutActor = map[string]string{
	"auth.Authenticate":                   "it finds the actor",
	"assignments.Run":                     "a part of the API process",
	"auth.Run":                            "a part of the API process",
	"auth.Flush":                          "a part of the API process",
	"keywatch.Run":                        "a part of the worker process",
	"keywatch.Sweep":                      "a part of the worker process",
	"keywatch.Peppers":                    "counts; the command line of the deployment",
	"limits.Take":                         "it asks how often, and not whether",
	"limits.Used":                         "it says how much is used, and asks nothing",
	"limits.Fail":                         "it is of those who are nobody",
	"limits.MayFail":                      "it is of those who are nobody",
	"limits.Run":                          "a part of the API process",
	"limits.Flush":                        "a part of the API process",
	"leaks.Scanned":                       "GitHub asks; its signature is checked at the edge",
	"bootstrap.Run":                       "there is nobody yet; the command line of the deployment",
	"bootstrap.NewOperatorKey":            "nobody has a key any more; the command line of the deployment",
	"deletion.Plan":                       "a step of Bulkhead's own workflow",
	"deletion.StopProvisioning":           "a step of Bulkhead's own workflow",
	"deletion.DeleteNamespace":            "a step of Bulkhead's own workflow",
	"deletion.AwaitReclaim":               "a step of Bulkhead's own workflow",
	"deletion.Purge":                      "a step of Bulkhead's own workflow",
	"deletion.Finish":                     "a step of Bulkhead's own workflow",
	"deletion.Fail":                       "a step of Bulkhead's own workflow",
	"watch.Review":                        "a step of Bulkhead's own workflow",
	"watch.Run":                           "a part of the worker process",
	"watch.Turn":                          "a part of the worker process",
	"holds.Review":                        "a step of Bulkhead's own workflow",
	"dispatches.Decided":                  "hears what has come of what an actor was let start",
	"dispatches.Run":                      "a part of the API process",
	"dispatches.Flush":                    "a part of the API process",
	"dispatches.Repair":                   "a part of the worker process",
	"dispatches.Sweep":                    "a part of the worker process",
	"provisioning.EnsureNamespace":        "a step of Bulkhead's own workflow",
	"provisioning.EnsureSearchAttributes": "a step of Bulkhead's own workflow",
	"provisioning.Probe":                  "a step of Bulkhead's own workflow",
	"provisioning.Activate":               "a step of Bulkhead's own workflow",
	"provisioning.Fail":                   "a step of Bulkhead's own workflow",
	"refusals.Forbidden":                  "counts what an actor was refused",
	"refusals.Unauthenticated":            "counts what nobody was refused",
	"refusals.Run":                        "a part of the API process",
	"refusals.Flush":                      "a part of the API process",
	"retention.Run":                       "a part of the worker process",
	"retention.Sweep":                     "a part of the worker process",
	"metering.Count":                      "counts what an actor has asked",
	"metering.Run":                        "a part of the API process",
	"metering.Flush":                      "a part of the API process",
	"relay.Run":                           "a part of the worker process",
	"relay.Deliver":                       "a part of the worker process",
	"tokens.Token":                        "Bulkhead's own calls of Temporal",
	"tokens.KeySet":                       "public keys",
	"tokens.Rotate":                       "a part of the worker process",
}

func TestAccounting(t *testing.T) {
	t.Parallel()

	t.Run("Should account for every exported method of every use case", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		all := reflect.TypeFor[services]()
		actor := reflect.TypeFor[authz.Actor]()
		var packages, methods []string
		for field := range all.Fields() {
			name := field.Name
			packages = append(packages, name)
			for m := range field.Type.Methods() {
				full := name + "." + m.Name
				methods = append(methods, full)
				takes := false
				for p := range m.Type.Ins() {
					takes = takes || p == actor
				}
				_, stated := account[full]
				if takes && !stated && withoutActor[full] == "" {
					t.Errorf("%s takes an actor: state in account what it needs", full)
				}
				if !takes && withoutActor[full] == "" {
					t.Errorf("%s takes no actor: state in withoutActor why", full)
				}
			}
		}
		for _, stated := range slices.Concat(slices.Collect(maps.Keys(account)), slices.Collect(maps.Keys(withoutActor))) {
			if !slices.Contains(methods, stated) {
				t.Errorf("%s is stated and does not exist", stated)
			}
		}

		entries, err := os.ReadDir(".")
		is.NoErr(err)
		for _, e := range entries {
			if e.IsDir() && e.Name() != "testdata" && !slices.Contains(packages, e.Name()) {
				t.Errorf("the use cases of %s are missing in services", e.Name())
			}
		}
	})

	for name, a := range account {
		t.Run("Should refuse nobody before anything is asked: "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			w := newWorld(t)
			s := newServices(w)
			w.addSystem()
			for _, o := range []id.Org{w.addOrg("acme", org.Active), id.SystemOrg, {}} {
				is.True(errors.Is(a.call(s, t.Context(), authz.Actor{}, o), fault.ErrUnauthenticated))
			}
			is.Equal(len(w.called()), 0)
		})

		if a.reach != actorsOwn { // it can name no other
			t.Run("Should find nothing of another organization, without asking: "+name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				w := newWorld(t)
				s := newServices(w)
				w.addSystem()
				foreign := w.addOrg("acme", org.Active)
				own := w.addOrg("own", org.Active)
				want := func(r authz.Role) error {
					switch {
					case a.reach != wholePlatform:
						return fault.ErrNotFound
					case r.Permissions().Has(a.needs): // which does not reach so far
						return fault.ErrForbidden
					}
					return authz.Lacks(a.needs)
				}
				for _, r := range authz.Roles() {
					for _, o := range []id.Org{foreign, id.SystemOrg, id.New[id.OrgKind]()} {
						is.Equal(a.call(s, t.Context(), holder(own, r), o), want(r)) // the sentinel itself: nothing was added
					}
				}
				for _, r := range authz.Roles()[:4] { // the system organization's users, but for operators
					is.Equal(a.call(s, t.Context(), holder(id.SystemOrg, r), foreign), want(r))
				}
				is.Equal(len(w.called()), 0)
			})
		}

		if a.reach != anybody {
			t.Run("Should need exactly its permission: "+name, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				w := newWorld(t)
				s := newServices(w)
				o, home, role := w.addOrg("own", org.Active), id.SystemOrg, authz.Operator
				if a.reach != wholePlatform && a.reach != operatorsAlone {
					home, role = o, authz.Admin
				}
				everythingElse := slices.DeleteFunc(permissions(), func(p authz.Permission) bool { return p == a.needs })
				is.Equal(a.call(s, t.Context(), holder(home, role, everythingElse...), o), error(authz.Lacks(a.needs)))
				is.Equal(len(w.called()), 0)
				if a.reach == operatorsAlone { // not even with the permission, which only a tampered row could give
					is.Equal(a.call(s, t.Context(), holder(o, authz.Operator, a.needs), o), error(fault.ErrForbidden))
					is.Equal(len(w.called()), 0)
				}

				err := a.call(s, t.Context(), holder(home, role, a.needs), o)
				is.True(!errors.Is(err, fault.ErrForbidden))
				if name != "users.Add" { // giving a role takes more than the permission to add users
					is.True(len(w.called()) > 0)
				}
			})
		}
	}
}

func permissions() []authz.Permission {
	var out []authz.Permission
	for p := range authz.Permission(64) {
		if p.String() != "" {
			out = append(out, p)
		}
	}
	return out
}
