package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

func (w *world) snapshot(o id.Org, u id.User) user.Snapshot {
	w.t.Helper()
	found := w.userOf(o, u)
	return found.Snapshot()
}

// addRole stores a custom role.
func (w *world) addRole(o id.Org, name string, s authz.Set) authz.Role {
	w.t.Helper()
	r, err := role.New(id.New[id.RoleKind](), o, role.Spec{Name: name, Permissions: s}, w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(o, func(ctx context.Context, tx ports.Tx) error { return tx.Roles.Insert(ctx, r) })
	return r.Authz()
}

func TestUserChanges(t *testing.T) {
	t.Parallel()

	t.Run("Should change name and role, and write down both sides", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.addUser(o, authz.Admin, user.Active)
		u := w.addUser(o, authz.Member, user.Active)
		by := holder(o, authz.Admin)
		got, err := newServices(w).users.Update(t.Context(), by, o, u, 1, users.UpdateInput{Name: "Grace", Role: "manager"})
		is.NoErr(err)
		is.Equal(got.Snapshot().Name, "Grace")
		is.Equal(got.Role(), authz.Manager)
		is.Equal(w.userOf(o, u), got)
		is.Equal(got.Snapshot().Version, int64(3)) // each field is a change
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.UserUpdated.String())
		is.Equal(trail[0].Changes, map[string]audit.Change{
			"role": {Before: "member", After: "manager"}, "name": {Before: "Ada", After: "Grace"},
		})
	})

	t.Run("Should refuse a change that is meant for another version, and one that is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		u := w.addUser(o, authz.Member, user.Active)
		s := newServices(w).users
		_, err := s.Update(t.Context(), holder(o, authz.Admin), o, u, 7, users.UpdateInput{Name: "Grace"})
		is.Equal(err, error(fault.ErrStale))
		_, err = s.Remove(t.Context(), holder(o, authz.Admin), o, u, 7)
		is.Equal(err, error(fault.ErrStale))
		got, err := s.Update(t.Context(), holder(o, authz.Admin), o, u, 1, users.UpdateInput{Role: "member"})
		is.NoErr(err)
		is.Equal(got.Snapshot().Version, int64(1)) // nothing was changed
	})

	t.Run("Should find a custom role by its id and by its name, and no other's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o, foreign := w.addOrg("own", org.Active), w.addOrg("foreign", org.Active)
		u := w.addUser(o, authz.Member, user.Active)
		mine := w.addRole(o, "deployer", authz.SetOf(authz.WorkflowsStart))
		theirs := w.addRole(foreign, "auditor", authz.SetOf(authz.AuditRead))
		s := newServices(w).users
		for _, ref := range []string{mine.ID().String(), "deployer"} {
			got, err := s.Update(t.Context(), holder(o, authz.Admin), o, u, 0, users.UpdateInput{Role: ref})
			is.NoErr(err)
			is.Equal(got.Role(), mine)
			is.Equal(w.snapshot(o, u).Role, mine)
		}
		for _, ref := range []string{theirs.ID().String(), "auditor", "nobody"} {
			_, err := s.Add(t.Context(), holder(o, authz.Admin), o, users.AddInput{Email: "a@example.com", Role: ref})
			is.True(errors.Is(err, role.ErrUnknown))
		}
	})

	t.Run("Should let nobody touch somebody who may do more, or give more than they have", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		admin := w.addUser(o, authz.Admin, user.Active)
		w.addUser(o, authz.Admin, user.Active)
		member := w.addUser(o, authz.Member, user.Active)
		s, manager := newServices(w).users, holder(o, authz.Manager)
		_, err := s.Update(t.Context(), manager, o, admin, 0, users.UpdateInput{Name: "x"})
		is.Equal(err, error(authz.ErrPowerExceeded))
		_, err = s.Suspend(t.Context(), manager, o, admin, "")
		is.Equal(err, error(authz.ErrPowerExceeded))
		_, err = s.Remove(t.Context(), manager, o, admin, 0)
		is.Equal(err, error(authz.ErrPowerExceeded))
		_, err = s.Update(t.Context(), manager, o, member, 0, users.UpdateInput{Role: "admin"})
		is.Equal(err, error(authz.ErrPowerExceeded))
		is.Equal(w.snapshot(o, admin).Version+w.snapshot(o, member).Version, int64(2)) // nothing was changed
		// A key that may do nothing else may still do this: nothing is given away.
		_, err = s.Suspend(t.Context(), holder(o, authz.Manager, authz.UsersSuspend), o, member, "away")
		is.NoErr(err)
		is.Equal(w.snapshot(o, member).Reason, "away")
	})

	t.Run("Should let nobody change their own role, or suspend or remove themselves", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		w.addUser(o, authz.Admin, user.Active)
		me := w.addUser(o, authz.Admin, user.Active)
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, User: me, Key: id.New[id.APIKeyKind](), Role: authz.Admin})
		s := newServices(w).users
		_, err := s.Update(t.Context(), by, o, me, 0, users.UpdateInput{Role: "member"})
		is.Equal(err, error(user.ErrOneself))
		_, err = s.Suspend(t.Context(), by, o, me, "")
		is.Equal(err, error(user.ErrOneself))
		_, err = s.Remove(t.Context(), by, o, me, 0)
		is.Equal(err, error(user.ErrOneself))
		_, err = s.Update(t.Context(), by, o, me, 0, users.UpdateInput{Name: "Me"})
		is.NoErr(err)
	})

	t.Run("Should keep the last active admin, whatever is done to them", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		last := w.addUser(o, authz.Admin, user.Active)
		w.addUser(o, authz.Admin, user.Suspended)
		s, by := newServices(w).users, operator()
		_, err := s.Update(t.Context(), by, o, last, 0, users.UpdateInput{Role: "member"})
		is.Equal(err, error(user.ErrLastAdmin))
		_, err = s.Suspend(t.Context(), by, o, last, "")
		is.Equal(err, error(user.ErrLastAdmin))
		_, err = s.Remove(t.Context(), by, o, last, 0)
		is.Equal(err, error(user.ErrLastAdmin))
		is.Equal(w.snapshot(o, last).Version, int64(1))
	})

	t.Run("Should take and give access, and free the address of who was removed", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		u := w.addUser(o, authz.Member, user.Active)
		email := w.snapshot(o, u).Email
		s, by := newServices(w).users, holder(o, authz.Admin)
		_, err := s.Suspend(t.Context(), by, o, u, "on leave")
		is.NoErr(err)
		_, err = s.Suspend(t.Context(), by, o, u, "again")
		is.Equal(err, error(user.ErrState))
		got, err := s.Resume(t.Context(), by, o, u)
		is.NoErr(err)
		is.Equal(got.Snapshot().Reason, "")
		_, err = s.Add(t.Context(), by, o, users.AddInput{Email: email, Role: "viewer"})
		is.True(errors.Is(err, user.ErrEmailTaken))
		_, err = s.Remove(t.Context(), by, o, u, 3)
		is.NoErr(err)
		_, err = s.Add(t.Context(), by, o, users.AddInput{Email: email, Role: "viewer"})
		is.NoErr(err)
		_, err = s.Resume(t.Context(), by, o, u)
		is.Equal(err, error(user.ErrState)) // it was for good
	})

	t.Run("Should add service accounts, who have no address", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		s, by := newServices(w).users, holder(o, authz.Admin)
		for range 2 { // that two have none is no conflict
			u, err := s.Add(t.Context(), by, o, users.AddInput{Kind: user.ServiceAccount, Name: "CI", Role: "member"})
			is.NoErr(err)
			is.Equal(w.snapshot(o, u.ID()).Kind, user.ServiceAccount)
		}
		_, err := s.Add(t.Context(), by, o, users.AddInput{Kind: user.ServiceAccount, Name: "CI", Email: "ci@example.com", Role: "member"})
		is.True(errors.Is(err, fault.ErrInvalid))
	})
}

func TestUserActivity(t *testing.T) {
	t.Parallel()

	t.Run("Should show a user's keys, when they were last seen, and what they did", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		ada, other := w.addUser(o, authz.Admin, user.Active), w.addUser(o, authz.Member, user.Active)
		seen := w.clock.Now().Add(time.Minute)
		w.addKey(apikey.Snapshot{
			ID: id.New[id.APIKeyKind](), OrgID: o, UserID: ada, Name: "ci", Hint: "bhk_12345678", LastFour: "wxyz", State: apikey.Active,
			Hash: apikey.Versioned{Version: 1, Hash: apikey.Hash{7}}, LastUsedAt: seen, Version: 1, CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
		})
		s := newServices(w).users
		by := authz.NewKeyActor(authz.KeyHolder{Org: o, User: ada, Key: id.New[id.APIKeyKind](), Role: authz.Admin})
		_, err := s.Suspend(t.Context(), by, o, other, "")
		is.NoErr(err)
		got, err := s.Activity(t.Context(), by, o, ada)
		is.NoErr(err)
		is.Equal(len(got.Keys), 1)
		is.True(!got.MoreKeys)
		is.Equal(len(got.Recent), 1)
		is.Equal(got.Recent[0].Action, audit.UserSuspended.String())
		is.Equal(got.Recent[0].ResourceID, other.String())
		nothing, err := s.Activity(t.Context(), by, o, other)
		is.NoErr(err)
		is.True(nothing.LastSeenAt.IsZero() && len(nothing.Keys) == 0 && len(nothing.Recent) == 0)
		_, err = s.Activity(t.Context(), by, o, id.New[id.UserKind]())
		is.Equal(err, error(fault.ErrNotFound))
	})
}

// TestLastAdminRace removes the last two admins of an organization from both
// sides at once, many times. Without the organization's turn, which LockAll
// takes, some of them end with none.
func TestLastAdminRace(t *testing.T) {
	t.Parallel()
	const rounds = 300
	w := newWorld(t)
	s := users.New(w.unseen.store, w.trails, newServices(w).limits, limit.Standard{}, w.clock)
	without := 0
	for n := range rounds {
		o := w.addOrg(fmt.Sprintf("own-%d", n), org.Active)
		one, two := w.addUser(o, authz.Admin, user.Active), w.addUser(o, authz.Admin, user.Active)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i, target := range []id.User{one, two} {
			wg.Go(func() {
				<-start
				if i == 0 {
					_, _ = s.Remove(t.Context(), operator(), o, target, 0)
				} else {
					_, _ = s.Update(t.Context(), operator(), o, target, 0, users.UpdateInput{Role: "viewer"})
				}
			})
		}
		close(start)
		wg.Wait()
		a, b := w.userOf(o, one), w.userOf(o, two)
		if !a.IsTop() && !b.IsTop() {
			without++
		}
	}
	t.Run("Should never leave an organization without an admin", func(t *testing.T) {
		is.New(t).Equal(without, 0)
	})
}

func TestBulk(t *testing.T) {
	t.Parallel()

	t.Run("Should do what can be done and say why the rest can not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		admin := w.addUser(o, authz.Admin, user.Active)
		member, leaver := w.addUser(o, authz.Member, user.Active), w.addUser(o, authz.Member, user.Active)
		taken := w.snapshot(o, member).Email
		foreign := w.addUser(w.addOrg("foreign", org.Active), authz.Member, user.Active)
		results, done, err := newServices(w).users.Bulk(t.Context(), holder(o, authz.Admin), o, []users.BulkItem{
			{Op: users.BulkAdd, Add: users.AddInput{Email: "new@example.com", Role: "viewer"}},
			{Op: users.BulkAdd, Add: users.AddInput{Email: taken, Role: "viewer"}},
			{Op: users.BulkAdd, Add: users.AddInput{Email: "NEW@example.com", Role: "viewer"}},
			{Op: users.BulkAdd, Add: users.AddInput{Email: "nobody", Role: "viewer"}},
			{Op: users.BulkAdd, Add: users.AddInput{Email: "x@example.com", Role: "unknown"}},
			{Op: users.BulkSetRole, User: member, Role: "manager"},
			{Op: users.BulkSuspend, User: member, Reason: "away"},
			{Op: users.BulkRemove, User: admin},
			{Op: users.BulkRemove, User: foreign},
			{Op: users.BulkRemove, User: leaver},
			{Op: users.BulkAdd, Add: users.AddInput{Email: w.snapshot(o, leaver).Email, Role: "viewer"}},
		}, false)
		is.NoErr(err)
		is.True(done)
		var codes []string
		for _, r := range results {
			code := "done"
			if r.Err != nil {
				code = fault.From(r.Err).Code
			}
			codes = append(codes, code)
		}
		is.Equal(codes, []string{
			"done", "user.email_taken", "user.email_taken", "request.invalid", "role.unknown", "done", "done", "user.last_admin", "not_found",
			"done", "done",
		})
		got := w.snapshot(o, member)
		is.Equal([]string{got.Role.String(), got.State.String(), got.Reason}, []string{"manager", "suspended", "away"})
		is.Equal(len(w.trail()), 5) // one for each that was done
	})

	t.Run("Should do all or nothing when asked to", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		member := w.addUser(o, authz.Member, user.Active)
		items := []users.BulkItem{
			{Op: users.BulkAdd, Add: users.AddInput{Email: "new@example.com", Role: "viewer"}},
			{Op: users.BulkSuspend, User: member},
			{Op: users.BulkSuspend, User: id.New[id.UserKind]()},
		}
		results, done, err := newServices(w).users.Bulk(t.Context(), holder(o, authz.Admin), o, items, true)
		is.NoErr(err)
		is.True(!done)
		is.Equal([]bool{results[0].Err != nil, results[1].Err != nil, results[2].Err != nil}, []bool{false, false, true})
		is.True(results[0].User.ID().IsZero()) // it was taken back
		is.Equal(w.snapshot(o, member).State, user.Active)
		results, done, err = newServices(w).users.Bulk(t.Context(), holder(o, authz.Admin), o, items[:2], true)
		is.NoErr(err)
		is.True(done)
		is.Equal(w.snapshot(o, results[0].User.ID()).Email, "new@example.com")
	})

	t.Run("Should need the permission of every item", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		member := w.addUser(o, authz.Member, user.Active)
		items := []users.BulkItem{{Op: users.BulkSuspend, User: member}, {Op: users.BulkRemove, User: member}}
		_, _, err := newServices(w).users.Bulk(t.Context(), holder(o, authz.Admin, authz.UsersSuspend), o, items, false)
		is.Equal(err, error(authz.Lacks(authz.UsersRemove)))
		is.Equal(w.snapshot(o, member).State, user.Active)
	})

	t.Run("Should take a thousand at once, and no more", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		o := w.addOrg("own", org.Active)
		items := make([]users.BulkItem, users.MaxBulk)
		for i := range items {
			items[i] = users.BulkItem{Op: users.BulkAdd, Add: users.AddInput{Email: fmt.Sprintf("u%d@example.com", i), Role: "member"}}
		}
		s := newServices(w).users
		results, done, err := s.Bulk(t.Context(), holder(o, authz.Admin), o, items, true)
		is.NoErr(err)
		is.True(done)
		is.Equal(len(results), users.MaxBulk)
		_, _, err = s.Bulk(t.Context(), holder(o, authz.Admin), o, slices.Concat(items, items[:1]), false)
		is.True(errors.Is(err, fault.ErrInvalid))
		_, _, err = s.Bulk(t.Context(), holder(o, authz.Admin), o, nil, false)
		is.True(errors.Is(err, fault.ErrInvalid))
	})
}
