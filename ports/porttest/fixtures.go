package porttest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// storePatience bounds what should happen at once. It is only ever waited for in full
// by a test that fails.
const storePatience = 20 * time.Second

// moment is a time that is hard to store: of a zone with half hours, within the
// hour that its clocks skip, and with more digits than are kept.
var moment = time.Date(2026, time.March, 8, 2, 30, 0, 123456789, time.FixedZone("NST", -(3*60+30)*60))

// kept is what a database keeps of a time: whole microseconds, in UTC.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// aRate is a rate with every field set.
var aRate = limit.Limit{Rate: ratelimit.Rate{Count: 600, Period: time.Minute, Burst: 7}, WarnPercent: 90, DryRun: true}

func unique(prefix string) string {
	return prefix + "-" + strings.ToLower(id.New[id.OrgKind]().Tail(12))
}

// anOrg is an active organization with every field set.
func anOrg() org.Org {
	i := id.New[id.OrgKind]()
	return org.Restore(org.Snapshot{
		ID: i, Slug: unique("acme"), Name: "Acme", State: org.Active, StateReason: "because", Namespace: "org-" + i.Tail(20), NamespaceAdopted: true,
		Metadata: org.Metadata{"plan": "gold", "é": "\"quoted\""}, Settings: org.Settings{DeletionGraceDays: 3, APIKeyMaxTTLDays: 90},
		DeletionProtected: true, WorkerPool: "gold", ActivatedAt: moment.Add(2 * time.Hour), DeleteAfter: moment.Add(3 * time.Hour),
		Limits: limit.Set{limit.Requests: aRate, limit.Users: {Max: 0, WarnPercent: 50, DryRun: true}}, LimitsVersion: 9, Version: 7, CreatedAt: moment, UpdatedAt: moment.Add(time.Hour),
	})
}

func orgIn(state org.State) org.Org {
	return changeOrg(anOrg(), func(s *org.Snapshot) { s.State = state })
}

// aUser is an active user with every field set.
func aUser(o id.Org) user.User {
	return user.Restore(user.Snapshot{
		ID: id.New[id.UserKind](), OrgID: o, Kind: user.Person, Email: unique("ada") + "@example.com", Name: "Ada", Role: authz.Manager,
		State: user.Active, Reason: "back again", Version: 7, CreatedAt: moment, UpdatedAt: moment.Add(time.Hour),
	})
}

// aSchedule is the row of a schedule with every field set.
func aSchedule(o id.Org) schedule.Row {
	return schedule.Row{OrgID: o, ID: unique("nightly"), CreatedAt: moment, CreatedBy: "user_1", Request: uuid.New()}
}

// aDispatch is a start that is asked for.
func aDispatch(o id.Org) workflow.Dispatch {
	return workflow.Dispatch{
		Org: o, Request: uuid.New(), WorkflowID: unique("order"), Type: "Order", TaskQueue: "orders", Subject: "key_1",
		RequestedAt: moment, Outcome: workflow.DispatchRequested,
	}
}

// aRole is a custom role with every field set.
func aRole(o id.Org) role.Role {
	return role.Restore(role.Snapshot{
		ID: id.New[id.RoleKind](), OrgID: o, Name: unique("deployer"), Description: "Deploys.",
		Permissions: authz.SetOf(authz.WorkflowsStart, authz.WorkflowsRead),
		Version:     7, CreatedAt: moment, UpdatedAt: moment.Add(time.Hour),
	})
}

func changeRole(r role.Role, change func(*role.Snapshot)) role.Role {
	s := r.Snapshot()
	change(&s)
	return role.Restore(s)
}

// aUserWith is a user who has a custom role.
func aUserWith(r role.Role) user.User {
	return changeUser(aUser(r.Snapshot().OrgID), func(s *user.Snapshot) { s.Role = r.Authz() })
}

// keptOrg is what a database keeps of an organization.
func keptOrg(o org.Org) org.Snapshot {
	s := o.Snapshot()
	s.ActivatedAt, s.DeleteAfter, s.CreatedAt, s.UpdatedAt = kept(s.ActivatedAt), kept(s.DeleteAfter), kept(s.CreatedAt), kept(s.UpdatedAt)
	return s
}

func changeOrg(o org.Org, change func(*org.Snapshot)) org.Org {
	s := o.Snapshot()
	change(&s)
	return org.Restore(s)
}

func changeUser(u user.User, change func(*user.Snapshot)) user.User {
	s := u.Snapshot()
	change(&s)
	return user.Restore(s)
}

// aKey is a key with every field set. The zero user makes it the organization's.
func aKey(o id.Org, u id.User) apikey.Key {
	return apikey.Restore(apikey.Snapshot{
		ID: id.New[id.APIKeyKind](), OrgID: o, UserID: u, Name: "deploy", Description: "from the pipeline",
		Scopes:     authz.SetOf(authz.WorkflowsRead, authz.UsersRead),
		AllowedIPs: apikey.IPList{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")},
		Metadata:   apikey.Metadata{"team": "a", "": "\u00e9"},
		Limits:     limit.Set{limit.Requests: aRate},
		Hint:       "bhk_12345678", LastFour: "abcd", Hash: aHash(2), LastUsedAt: moment.Add(time.Minute), Generation: 3,
		Old: apikey.Previous{
			Hint: "bhk_87654321", LastFour: "dcba", Hash: aHash(1), LastUsedAt: moment.Add(time.Second),
			ExpiresAt: moment.Add(2 * time.Hour), UntilSeen: true,
		},
		State: apikey.Active, ExpiresAt: moment.Add(24 * time.Hour), WarnAt: moment.Add(23 * time.Hour), RevokedAt: moment.Add(48 * time.Hour),
		Version: 7, CreatedAt: moment, UpdatedAt: moment.Add(time.Hour),
	})
}

// keptAPIKey is what a database keeps of a key's times.
func keptAPIKey(s apikey.Snapshot) apikey.Snapshot {
	for _, at := range []*time.Time{
		&s.CreatedAt, &s.UpdatedAt, &s.ExpiresAt, &s.WarnAt, &s.RevokedAt, &s.LastUsedAt, &s.Old.LastUsedAt, &s.Old.ExpiresAt,
	} {
		if !at.IsZero() {
			*at = kept(*at)
		}
	}
	return s
}

func changeKey(k apikey.Key, change func(*apikey.Snapshot)) apikey.Key {
	s := k.Snapshot()
	change(&s)
	return apikey.Restore(s)
}

func aHash(version int16) apikey.Versioned {
	v := apikey.Versioned{Version: version}
	if _, err := rand.Read(v.Hash[:]); err != nil {
		panic(err) // the operating system has no random numbers
	}
	return v
}

// anOperation is a failed operation with every field set.
func anOperation(o id.Org) operation.Operation {
	return operation.Restore(operation.Snapshot{
		ID: id.New[id.OperationKind](), OrgID: o, Kind: operation.ProvisionOrganization, State: operation.Failed,
		Step: operation.NamespaceRegistered, Attempts: 3, Failure: "no", FailureCode: "no.code", RetryOf: id.New[id.OperationKind](), Note: "why", CreatedAt: moment,
		UpdatedAt: moment.Add(time.Hour), FinishedAt: moment.Add(2 * time.Hour),
	})
}

func aMessage(t testing.TB, o id.Org, createdAt time.Time) outbox.Message {
	t.Helper()
	m, err := outbox.NewProvision(o, id.New[id.OperationKind](), createdAt)
	must(t, err)
	return m
}

// seed stores an organization and what is to be in it.
func seed(t testing.TB, b Backend, o org.Org, things ...any) org.Org {
	t.Helper()
	must(t, b.Store.WriteTx(t.Context(), o.ID(), func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Orgs.Insert(ctx, o); err != nil {
			return err
		}
		return insert(ctx, tx, things...)
	}))
	return o
}

// add stores things in an organization that exists.
func add(t testing.TB, b Backend, o id.Org, things ...any) {
	t.Helper()
	must(t, write(t.Context(), b, o, things...))
}

func write(ctx context.Context, b Backend, o id.Org, things ...any) error {
	return b.Store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		return insert(ctx, tx, things...)
	})
}

func insert(ctx context.Context, tx ports.Tx, things ...any) error {
	for _, thing := range things {
		var err error
		switch v := thing.(type) {
		case user.User:
			err = tx.Users.Insert(ctx, v)
		case role.Role:
			err = tx.Roles.Insert(ctx, v)
		case apikey.Key:
			err = tx.APIKeys.Insert(ctx, v)
		case operation.Operation:
			err = tx.Operations.Insert(ctx, v)
		case schedule.Row:
			if _, err = tx.Schedules.Claim(ctx, v); err == nil && v.Holds != (schedule.Holds{}) {
				_, err = tx.Schedules.Hold(ctx, []schedule.Row{v})
			}
		case workflow.Dispatch:
			err = tx.Dispatches.Request(ctx, v)
		case outbox.Message:
			err = tx.Outbox.Append(ctx, v)
		default:
			err = fmt.Errorf("no writer for %T", thing)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// isNotFound fails unless err is the one answer for what is absent or foreign.
// Its text must not tell the two apart either.
func isNotFound(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("want fault.ErrNotFound, got %v", err)
		return
	}
	if f := fault.From(err); f.Public != fault.ErrNotFound.Public || len(f.Fields) != 0 {
		t.Errorf("the fault says more than that it was not found: %v", err)
	}
}

// whole fails when a field of a snapshot is zero, so that a field which is added
// later can not be forgotten by the round trip.
func whole(t testing.TB, snapshot any) {
	t.Helper()
	v := reflect.ValueOf(snapshot)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%T.%s is not set: the round trip would not notice its loss", snapshot, v.Type().Field(i).Name)
		}
	}
}

// walk follows a list from page to page.
func walk[T any](t testing.TB, limit int, list func(page.Request) (page.Page[T], error)) (pages [][]T) {
	t.Helper()
	var after uuid.UUID
	for {
		p, err := list(page.Request{Limit: limit, After: after})
		must(t, err)
		pages = append(pages, p.Items)
		if p.Next == uuid.Nil {
			return pages
		}
		after = p.Next
		if len(pages) > 1000 {
			t.Fatal("the list has no end")
		}
	}
}

// flat joins pages, as identifiers.
func flat[T any, K comparable](pages [][]T, key func(T) K) []K {
	var out []K
	for _, p := range pages {
		for _, v := range p {
			out = append(out, key(v))
		}
	}
	return out
}

func orgID(o org.Org) id.Org                         { return o.ID() }
func userID(u user.User) id.User                     { return u.ID() }
func roleID(r role.Role) id.Role                     { return r.Snapshot().ID }
func keyID(k apikey.Key) id.APIKey                   { return k.Snapshot().ID }
func operationID(o operation.Operation) id.Operation { return o.Snapshot().ID }
func messageID(m outbox.Message) id.Message          { return m.ID }

// together runs n functions at once and returns their errors.
func together(n int, fn func(i int) error) []error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- fn(i) }()
	}
	out := make([]error, n)
	for i := range n {
		out[i] = <-errs
	}
	return out
}

// should runs one guarantee.
func should(t *testing.T, name string, fn func(t *testing.T, is *is.I)) {
	t.Helper()
	t.Run("Should "+name, func(t *testing.T) { fn(t, is.New(t)) })
}
