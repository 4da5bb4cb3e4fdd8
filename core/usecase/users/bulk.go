package users

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// BulkOp is what to do in one item of a bulk request.
type BulkOp struct{ name string }

// The operations of a bulk request.
var (
	BulkAdd     = BulkOp{"add"}
	BulkSetRole = BulkOp{"set_role"}
	BulkSuspend = BulkOp{"suspend"}
	BulkResume  = BulkOp{"resume"}
	BulkRemove  = BulkOp{"remove"}
)

// needs is the permission of each operation, and how the trail calls it.
var needs = map[BulkOp]struct {
	permission authz.Permission
	action     audit.Action
}{
	BulkAdd:     {authz.UsersCreate, audit.UserCreated},
	BulkSetRole: {authz.UsersUpdate, audit.UserUpdated},
	BulkSuspend: {authz.UsersSuspend, audit.UserSuspended},
	BulkResume:  {authz.UsersSuspend, audit.UserResumed},
	BulkRemove:  {authz.UsersRemove, audit.UserRemoved},
}

// ParseBulkOp reads an operation's name.
func ParseBulkOp(s string) (BulkOp, bool) {
	op := BulkOp{s}
	_, ok := needs[op]
	return op, ok
}

// MaxBulk is the most items of a bulk request.
const MaxBulk = 1000

// BulkItem is one thing to do.
type BulkItem struct {
	Op     BulkOp
	User   id.User  // of all but add
	Add    AddInput // of add
	Role   string   // of set_role, as in AddInput
	Reason string   // of suspend
}

// BulkResult is what became of an item: a user, or why not. Both are zero for an
// item that was taken back because of another.
type BulkResult struct {
	User user.User
	Err  error
}

// Bulk does many things in one transaction. An item that fails does not keep the
// others from happening, unless atomic asks for all or nothing: then done is false
// and nothing has happened. Items are done in their order, but all that are added
// come last, and as far as the quota has room for them: those beyond it fail with
// limit.ErrExceeded. Nobody is added to an organization that is being deleted: that
// item fails with org.ErrState. It fails when the actor lacks the permission of any item.
func (s *Service) Bulk(ctx context.Context, by authz.Actor, org id.Org, items []BulkItem, atomic bool) (results []BulkResult, done bool, err error) {
	if err := authorize(by, org, items); err != nil {
		return nil, false, err
	}
	if len(items) == 0 || len(items) > MaxBulk {
		return nil, false, fault.InvalidField("/operations", "length", "must have 1 to 1,000 items")
	}
	roles, err := s.roles(ctx, by, org, items)
	if err != nil {
		return nil, false, err
	}
	b := bulk{by: by, org: org, items: items, roles: roles, atomic: atomic, quota: s.quota}
	err = s.store.WriteTx(ctx, org, func(ctx context.Context, tx ports.Tx) error { return b.run(ctx, tx, s.clock.Now()) })
	s.limiter.Used(org, limit.Users, b.limit, b.used)
	if errors.Is(err, errTakenBack) {
		return b.failuresOnly(), false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return b.results, true, nil
}

// authorize asks for the permission of every item; where there is none, for that
// of looking at users.
func authorize(by authz.Actor, org id.Org, items []BulkItem) error {
	if len(items) == 0 {
		return by.Require(authz.UsersRead, org)
	}
	for _, item := range items {
		if err := by.Require(needs[item.Op].permission, org); err != nil {
			return err
		}
	}
	return nil
}

// found is what a text that should name a role names.
type found struct {
	role authz.Role
	err  error
}

// roles looks each role up once. One that is unknown, or not for the actor to give, is its
// items' failure.
func (s *Service) roles(ctx context.Context, by authz.Actor, org id.Org, items []BulkItem) (map[string]found, error) {
	out := map[string]found{}
	for _, item := range items {
		ref := item.roleRef()
		if _, ok := out[ref]; ok || ref == "" {
			continue
		}
		r, err := s.givable(ctx, by, org, ref)
		if err != nil && !fault.IsKind(err, fault.Invalid) && !errors.Is(err, authz.ErrPowerExceeded) {
			return nil, err
		}
		out[ref] = found{r, err}
	}
	return out, nil
}

func (i BulkItem) roleRef() string {
	if i.Op == BulkAdd {
		return i.Add.Role
	}
	return i.Role
}

// errTakenBack ends the transaction of an atomic request that can not be whole.
var errTakenBack = errors.New("an item of an atomic request has failed")

// bulk is a bulk request in the middle of its transaction.
type bulk struct {
	by     authz.Actor
	org    id.Org
	items  []BulkItem
	roles  map[string]found
	atomic bool
	quota  func(org.Org) limit.Limit

	closed  error // why nobody can be added
	limit   limit.Limit
	used    int64 // of the limit, with those who were stored; zero when nobody was to be
	results []BulkResult
	added   []int // the items whose user is to be stored
}

// run does all items; it may run again.
func (b *bulk) run(ctx context.Context, tx ports.Tx, now time.Time) error {
	b.results, b.added, b.used = make([]BulkResult, len(b.items)), nil, 0
	people, tops, err := b.lock(ctx, tx)
	if err != nil {
		return err
	}
	var entries []audit.Entry
	var touched []id.User
	for i, item := range b.items {
		if item.Op == BulkAdd {
			b.add(i, item, now)
			continue
		}
		u, ok := people[item.User]
		if !ok {
			b.results[i].Err = fault.ErrNotFound
			continue
		}
		c := changing{by: b.by, now: now, user: u, tops: &tops}
		if b.results[i].Err = c.run(b.change(item)); b.results[i].Err != nil {
			continue
		}
		b.results[i].User, people[item.User] = c.user, c.user
		if len(c.changes) > 0 {
			touched = append(touched, item.User)
			entries = append(entries, audit.Accepted(b.org, now, b.by, needs[item.Op].action, resource, item.User.String(), c.changes))
		}
	}
	if err := tx.Users.UpdateAll(ctx, distinct(people, touched)); err != nil {
		return err
	}
	if err := b.insert(ctx, tx, now, &entries); err != nil {
		return err
	}
	for _, e := range entries {
		if err := tx.Audit.Append(ctx, e); err != nil {
			return err
		}
	}
	if b.atomic && b.failed() {
		return errTakenBack
	}
	return nil
}

// lock takes the organization's turn, and reads what decides about all items and
// the users that they name.
func (b *bulk) lock(ctx context.Context, tx ports.Tx) (map[id.User]user.User, int, error) {
	var ids []id.User
	for _, item := range b.items {
		if item.Op != BulkAdd {
			ids = append(ids, item.User)
		}
	}
	row, err := tx.Orgs.Lock(ctx)
	if err != nil {
		return nil, 0, err
	}
	b.closed, b.limit = row.RequireStaying(), b.quota(row)
	locked, err := tx.Users.LockAll(ctx, ids)
	if err != nil {
		return nil, 0, err
	}
	tops, err := tx.Users.CountActive(ctx, user.TopRole(b.org))
	if err != nil {
		return nil, 0, err
	}
	people := make(map[id.User]user.User, len(locked))
	for _, u := range locked {
		people[u.ID()] = u
	}
	return people, tops, nil
}

func (b *bulk) add(i int, item BulkItem, now time.Time) {
	r := b.roles[item.Add.Role]
	if err := cmp.Or(b.closed, r.err); err != nil {
		b.results[i].Err = err
		return
	}
	u, err := compose(b.by, b.org, item.Add, r.role, now)
	if err != nil {
		b.results[i].Err = err
		return
	}
	b.results[i].User = u
	b.added = append(b.added, i)
}

func (b *bulk) change(item BulkItem) func(*changing) error {
	switch item.Op {
	case BulkSetRole:
		return func(c *changing) error {
			r := b.roles[item.Role]
			if r.err != nil {
				return r.err
			}
			return c.setRole(r.role)
		}
	case BulkSuspend:
		return func(c *changing) error { return c.suspend(item.Reason) }
	case BulkResume:
		return (*changing).resume
	}
	return (*changing).remove
}

// insert stores those who are added, in their order, as far as there is room: all in
// one statement, unless some whose address is taken leave room for others.
func (b *bulk) insert(ctx context.Context, tx ports.Tx, now time.Time, entries *[]audit.Entry) error {
	if len(b.added) == 0 {
		return nil
	}
	counts, err := tx.Orgs.Counts(ctx) // when those who are removed are
	if err != nil {
		return err
	}
	used := int64(counts.Members)
	for rest := b.added; len(rest) > 0; {
		n := b.limit.Room(used, int64(len(rest)))
		if n == 0 {
			for _, i := range rest {
				b.results[i] = BulkResult{Err: b.limit.Admit(limit.Users, used, 1)}
			}
			break
		}
		stored, err := b.store(ctx, tx, rest[:n])
		if err != nil {
			return err
		}
		used, rest = used+stored, rest[n:]
	}
	b.used = used
	for _, i := range b.added {
		if b.results[i].Err == nil {
			*entries = append(*entries, created(b.results[i].User, b.by, now))
		}
	}
	return nil
}

// store stores the users of items, and returns how many those are whose address was
// free.
func (b *bulk) store(ctx context.Context, tx ports.Tx, items []int) (int64, error) {
	fresh := make([]user.User, len(items))
	byID := map[id.User]int{}
	for n, i := range items {
		fresh[n] = b.results[i].User
		byID[fresh[n].ID()] = i
	}
	taken, err := tx.Users.InsertAll(ctx, fresh)
	if err != nil {
		return 0, err
	}
	for _, u := range taken {
		b.results[byID[u]] = BulkResult{Err: user.ErrEmailTaken}
	}
	return int64(len(items) - len(taken)), nil
}

func (b *bulk) failed() bool {
	for _, r := range b.results {
		if r.Err != nil {
			return true
		}
	}
	return false
}

// failuresOnly returns what kept an atomic request from happening.
func (b *bulk) failuresOnly() []BulkResult {
	out := make([]BulkResult, len(b.results))
	for i, r := range b.results {
		out[i].Err = r.Err
	}
	return out
}

// distinct returns each of the users once, as they are now.
func distinct(people map[id.User]user.User, ids []id.User) []user.User {
	var out []user.User
	seen := map[id.User]bool{}
	for _, i := range ids {
		if !seen[i] {
			seen[i] = true
			out = append(out, people[i])
		}
	}
	return out
}
