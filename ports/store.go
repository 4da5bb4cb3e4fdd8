// Package ports holds the few interfaces through which the core reaches a
// technology. Each method's comment is normative: porttest executes it.
//
// Every method may fail with fault.ErrUnavailable when the technology is away
// and with fault.ErrTimeout when it is too slow; comments name the other faults.
package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// Store is the database as the tenants' work sees it. Nothing can be read or
// written without saying for which organization, and nothing can be written
// outside a transaction.
type Store interface {
	// Reads returns the reads of one organization. What belongs to another is
	// absent: the same fault.ErrNotFound as for what never existed.
	Reads(org id.Org) Reads

	// WriteTx runs fn in one transaction whose scope is the organization. All of
	// fn's writes happen, or none. fn must be repeatable: it may run again after
	// a serialization failure. It must not call anything remote, nor ask the store
	// for anything but through tx: with fn's ctx that fails, as who holds a connection
	// must not wait for another. An error of fn is returned unchanged, joined with that
	// of the rollback if there is one; an error of the commit is returned. A panic rolls
	// back.
	//
	// When ctx carries a claim that is not repeatable, the same transaction says
	// that the claimed request's change has happened. It fails with
	// idempotency.ErrInProgress, and changes nothing, when the request is another
	// attempt's by now.
	WriteTx(ctx context.Context, org id.Org, fn func(ctx context.Context, tx Tx) error) error
}

// Reads are the reads of one organization.
type Reads interface {
	// Org returns the organization itself. It fails with fault.ErrNotFound.
	Org(ctx context.Context) (org.Org, error)
	// OrgCounts counts what belongs to the organization; it is zero for an absent one.
	OrgCounts(ctx context.Context) (org.Counts, error)
	// User fails with fault.ErrNotFound. Removed users are found.
	User(ctx context.Context, u id.User) (user.User, error)
	// Users lists the users that the filter chooses, oldest first.
	Users(ctx context.Context, f user.Filter, r page.Request) (page.Page[user.User], error)
	// Role returns a custom role. It fails with fault.ErrNotFound.
	Role(ctx context.Context, r id.Role) (role.Role, error)
	// RoleByName returns a custom role. It fails with fault.ErrNotFound.
	RoleByName(ctx context.Context, name string) (role.Role, error)
	// Roles lists the custom roles, oldest first.
	Roles(ctx context.Context, r page.Request) (page.Page[role.Role], error)
	// APIKey fails with fault.ErrNotFound. Revoked keys are found.
	APIKey(ctx context.Context, k id.APIKey) (apikey.Key, error)
	// APIKeys lists the keys that the filter admits, revoked ones too, oldest first.
	APIKeys(ctx context.Context, f apikey.Filter, r page.Request) (page.Page[apikey.Key], error)
	// Usage sums up what the filter chooses: by their keys, or by time, the oldest first.
	Usage(ctx context.Context, f usage.Filter, r page.Request) (page.Page[usage.Sum], error)
	// KnownSchedules returns those of the ids that have a row.
	KnownSchedules(ctx context.Context, ids []string) ([]string, error)
	// Schedules lists the rows of schedules that the filter chooses, by their ids.
	Schedules(ctx context.Context, f schedule.Filter) ([]schedule.Row, error)
	// Dispatch returns what is known of a request to start a workflow. It fails with
	// fault.ErrNotFound.
	Dispatch(ctx context.Context, request uuid.UUID) (workflow.Dispatch, error)
	// Operation fails with fault.ErrNotFound.
	Operation(ctx context.Context, o id.Operation) (operation.Operation, error)
	// OpenOperation returns the operation of one of the kinds that has not ended, the
	// one that began last. It fails with fault.ErrNotFound.
	OpenOperation(ctx context.Context, kinds []operation.Kind) (operation.Operation, error)
	// Operations lists all operations, oldest first.
	Operations(ctx context.Context, r page.Request) (page.Page[operation.Operation], error)
}

// Tx is the writes of one organization, gathered by aggregate. It is valid until
// the function it was given to returns.
type Tx struct {
	Orgs       OrgWriter
	Users      UserWriter
	Roles      RoleWriter
	APIKeys    APIKeyWriter
	Operations OperationWriter
	Schedules  ScheduleWriter
	Dispatches DispatchWriter
	Audit      AuditWriter
	Outbox     OutboxWriter
}

// OrgWriter writes the organization of the transaction.
type OrgWriter interface {
	// Insert fails with org.ErrSlugTaken and org.ErrIDTaken.
	Insert(ctx context.Context, o org.Org) error
	// Lock returns the organization and takes its turn: until the transaction ends
	// no other one that asks for it goes on, so that what is counted, and the state
	// that was seen, stay true. It fails with fault.ErrNotFound.
	Lock(ctx context.Context) (org.Org, error)
	// Counts counts what belongs to the organization, the transaction's own writes
	// too. It stays true while the organization is locked.
	Counts(ctx context.Context) (org.Counts, error)
	// Update takes the organization's turn as Lock does, gives the
	// organization to fn and stores what fn made of it, but never another
	// namespace. It fails with fault.ErrNotFound, with org.ErrSlugTaken, and with
	// fn's error.
	Update(ctx context.Context, fn func(*org.Org) error) error
	// Purge removes rows of the organization, many of each kind at most, and
	// returns how many; 0 when nothing is left. What is left in the end is the
	// organization's own row, its audit trail, and the operations that delete it.
	// It fails, and removes nothing, unless the organization is being deleted and
	// its grace is over.
	Purge(ctx context.Context, many int) (removed int64, err error)
}

// UserWriter writes users.
type UserWriter interface {
	// Insert fails with user.ErrEmailTaken, and with role.ErrUnknown when the
	// user's custom role is not one of the organization's.
	Insert(ctx context.Context, u user.User) error
	// Lock returns the user and locks their row against changes until the
	// transaction ends. It fails with fault.ErrNotFound.
	Lock(ctx context.Context, u id.User) (user.User, error)
	// LockAll takes the organization's turn, as OrgWriter.Lock does. It then returns
	// those of the users that there are, in the order of their ids, their rows
	// locked.
	LockAll(ctx context.Context, ids []id.User) ([]user.User, error)
	// CountActive counts the active users who have a built-in role.
	CountActive(ctx context.Context, r authz.Role) (int, error)
	// InsertAll stores new users, but those whose e-mail address is taken: it
	// returns them. It fails with role.ErrUnknown like Insert.
	InsertAll(ctx context.Context, us []user.User) (taken []id.User, err error)
	// UpdateAll stores what has changed of users, whom LockAll has returned. It
	// fails with fault.ErrNotFound, having changed nothing that stays, when one
	// of them is not there.
	UpdateAll(ctx context.Context, us []user.User) error
}

// RoleWriter writes custom roles.
type RoleWriter interface {
	// Insert fails with role.ErrNameTaken.
	Insert(ctx context.Context, r role.Role) error
	// Update locks the role's row until the transaction ends, so that nobody is
	// given the role meanwhile, gives the role to fn and stores what fn made of
	// it. It fails with fault.ErrNotFound, role.ErrNameTaken, and fn's error.
	Update(ctx context.Context, r id.Role, fn func(*role.Role) error) error
	// Named returns those of the names that a custom role has. While the organization is
	// locked none of them is given another: whoever does takes the organization's turn
	// before the transaction ends.
	Named(ctx context.Context, names []string) ([]string, error)
	// Delete removes a role that nobody has but users who were removed. Whatever
	// races, no user is left with a role that is gone. It fails with
	// fault.ErrNotFound and role.ErrInUse.
	Delete(ctx context.Context, r id.Role) error
}

// APIKeyWriter writes API keys.
type APIKeyWriter interface {
	// Insert fails with fault.ErrNotFound when the key's user is not one of the
	// organization's.
	Insert(ctx context.Context, k apikey.Key) error
	// Update locks the key's row, gives the key to fn and stores what fn made of
	// it. It fails with fault.ErrNotFound, and with fn's error.
	Update(ctx context.Context, k id.APIKey, fn func(*apikey.Key) error) error
	// Delete locks the key's row, gives the key to fn and removes it, with all
	// that is known of its secrets, unless fn fails. It fails with
	// fault.ErrNotFound, and with fn's error.
	Delete(ctx context.Context, k id.APIKey, fn func(*apikey.Key) error) error
}

// OperationWriter writes operations.
type OperationWriter interface {
	Insert(ctx context.Context, o operation.Operation) error
	// Update locks the operation's row, gives the operation to fn and stores
	// what fn made of it. It fails with fault.ErrNotFound, and with fn's error.
	Update(ctx context.Context, o id.Operation, fn func(*operation.Operation) error) error
	// UpdateOpen does the same with the operation of the kind that has not ended.
	// There is at most one, as who begins one holds the organization's row.
	UpdateOpen(ctx context.Context, k operation.Kind, fn func(*operation.Operation) error) error
	// Latest returns the operation of one of the kinds that began last, ended or not. It
	// fails with fault.ErrNotFound.
	Latest(ctx context.Context, kinds []operation.Kind) (operation.Operation, error)
}

// ScheduleWriter writes what Bulkhead keeps of schedules. None of it is proof that
// Temporal has the schedule.
type ScheduleWriter interface {
	// Claim stores the row of a schedule that is about to be made, and tells whether
	// it is new. One that is there is the request's from then on, and stays as it is
	// else.
	Claim(ctx context.Context, r schedule.Row) (isNew bool, err error)
	// TakeBack removes the row of a schedule that was not made, as long as the request
	// is the last that has claimed it.
	TakeBack(ctx context.Context, scheduleID string, request uuid.UUID) (removed bool, err error)
	// Remove removes the row of a schedule that is gone.
	Remove(ctx context.Context, scheduleID string) (removed bool, err error)
	// Learn stores rows of schedules that were found, but those that are there, and
	// returns how many it has stored.
	Learn(ctx context.Context, rs []schedule.Row) (int64, error)
	// Hold gives schedules the holds of the rows, but those of a kind that they have,
	// and stores the rows that are not there. It returns the rows as they are then.
	Hold(ctx context.Context, rs []schedule.Row) ([]schedule.Row, error)
	// Unhold ends the hold of the id, and tells whether the schedule had it.
	Unhold(ctx context.Context, scheduleID string, hold uuid.UUID) (ended bool, err error)
}

// DispatchWriter writes the organization's ledger of starts.
type DispatchWriter interface {
	// Request writes that a start is asked for, before Temporal is asked. Of a request
	// that is there, nothing changes when it has a run; otherwise it is undecided again.
	// It may be sent with the commit: what the database has against it is an error of
	// WriteTx.
	Request(ctx context.Context, d workflow.Dispatch) error
	// Decide writes what has come of requests, and returns those that it has decided: of
	// several who decide one, the first does, but a run comes before a refusal whenever.
	Decide(ctx context.Context, ds []workflow.Dispatch) (decided []uuid.UUID, err error)
}

// AuditWriter appends to the organization's trail; nothing else is possible.
type AuditWriter interface {
	// Append adds an entry to the end of the organization's chain. The end is
	// locked by the last statement of the transaction, after fn has returned, so
	// that transactions of one organization take turns for no longer than their
	// commits last, and whoever holds the end waits for no other lock. What the
	// database has against an entry is therefore an error of WriteTx.
	Append(ctx context.Context, e audit.Entry) error
	// Purge removes up to many of the oldest entries, as far as they are older than
	// the organization's setting has them kept, and returns how many; 0 when there
	// are none, when the organization has no such setting, and while another purge
	// of it runs. The chain begins after them then. What is younger than 30 days
	// stays, whatever the setting.
	Purge(ctx context.Context, many int) (removed int64, err error)
}

// OutboxWriter leaves messages for the relay. They become visible, and the relay
// is woken, when the transaction commits. They may be sent with the commit: what the
// database has against one is an error of WriteTx.
type OutboxWriter interface {
	// Append leaves a message, due when it says so. One that gathers is left out when
	// another stands for it, which then is not delivered before the transaction ends. Of
	// those the relay is not woken: none is due.
	Append(ctx context.Context, m outbox.Message) error
}

// Platform is the database as operators and Bulkhead's own parts see it: the
// reads across organizations. Their callers authorize for the platform.
type Platform interface {
	// Org returns any organization. It fails with fault.ErrNotFound.
	Org(ctx context.Context, o id.Org) (org.Org, error)
	// OrgBySlug fails with fault.ErrNotFound.
	OrgBySlug(ctx context.Context, slug string) (org.Org, error)
	// Orgs lists the organizations that the filter chooses, in its order. The list
	// goes on after the present place of the organization that r.After names.
	Orgs(ctx context.Context, f org.Filter, r page.Request) (page.Page[org.Org], error)
	// ActiveOrgs returns every active organization but the system's, oldest first.
	ActiveOrgs(ctx context.Context) ([]org.Org, error)
	// Operation returns any organization's operation. It fails with fault.ErrNotFound.
	Operation(ctx context.Context, o id.Operation) (operation.Operation, error)
}

// Dispatches is the ledgers of all organizations, as who looks after them sees them.
type Dispatches interface {
	// Open returns up to limit requests that are undecided and older than before, those
	// of one organization together, from after the given one; the zero one is before all.
	Open(ctx context.Context, before time.Time, after workflow.Dispatch, limit int) ([]workflow.Dispatch, error)
	// Erase forgets up to limit requests that were decided more than 30 days ago, and
	// returns how many those were.
	Erase(ctx context.Context, limit int) (int, error)
}

// DispatchRecorder is told what has come of starts.
type DispatchRecorder interface {
	// Decided takes what has come of a start that by has asked for. It takes no time and
	// never fails: what is lost of it is found out later.
	Decided(by authz.Actor, d workflow.Dispatch)
}

// Credentials finds the owner of a presented key before any organization is
// known. It can read nothing but what that takes.
type Credentials interface {
	// Find returns the credential stored under one of the hashes, whatever its
	// state, as it was at some time between the call and its return: never earlier,
	// however many calls share a round trip. It fails with fault.ErrNotFound. A call
	// whose ctx ends fails no other, and returns at once unless it makes a round trip
	// itself: that it makes to its end, which is bounded.
	Find(ctx context.Context, candidates []apikey.Versioned) (apikey.Credential, error)
}

// KeyUses is where it is noted, across organizations, that secrets are in use.
type KeyUses interface {
	// Record notes when secrets were last used; a later time is never replaced by
	// an earlier one. Secrets that are gone are left out, without an error. Any
	// number of calls at once, with the same secrets in whatever order, end
	// without a deadlock, and none waits for a change of the keys themselves.
	Record(ctx context.Context, uses []apikey.Use) error
	// Rehash stores another hash of the same secret in the place of from. Where
	// from is not stored any more it does nothing.
	Rehash(ctx context.Context, org id.Org, k id.APIKey, from, to apikey.Versioned) error
}

// KeyCensus looks at the keys of all organizations, and sees no more of them than
// authentication does.
type KeyCensus interface {
	// Peppers counts the secrets that can still be used, by the version of the
	// pepper that they are stored under.
	Peppers(ctx context.Context, now time.Time) (map[int16]int64, error)
	// DueWarnings returns up to limit active keys whose next warning is due, the
	// longest due first.
	DueWarnings(ctx context.Context, now time.Time, limit int) ([]apikey.Ref, error)
}

// Outbox is the relay's side of the outbox.
type Outbox interface {
	// Claim returns up to limit messages that are due, oldest first, and hides
	// them from other claims for the length of the lease. Each claim counts as
	// an attempt. Two concurrent claims never return the same message.
	Claim(ctx context.Context, now time.Time, limit int, lease time.Duration) ([]outbox.Message, error)
	// Done removes a delivered message. Removing it twice is harmless.
	Done(ctx context.Context, m id.Message) error
	// Retry makes a message due again at the given time, with the reason for the log.
	Retry(ctx context.Context, m id.Message, at time.Time, reason string) error
	// Wait returns when a message may have been left since the last call, after
	// limit at the latest, or with ctx's error.
	Wait(ctx context.Context, limit time.Duration) error
}

// SigningKeys is where the signing keys are kept, sealed.
type SigningKeys interface {
	// List returns all keys that are not retired.
	List(ctx context.Context) ([]signing.Key, error)
	// Change runs fn on all keys that are not retired and stores the keys that
	// it returns, new or changed, in one transaction. No two calls run at the
	// same time anywhere in the deployment.
	Change(ctx context.Context, fn func([]signing.Key) ([]signing.Key, error)) error
}

// Idempotency remembers requests that may be sent again, each in the scope of
// its actor's organization. Its clock is the database's.
type Idempotency interface {
	// Claim takes the request for the attempt of c.Token and sets c.Since, and c.Repeated
	// when there was an attempt before. Of any
	// number of concurrent claims one succeeds; the others return what is
	// remembered of the request, and false. A request can be claimed that is new,
	// that was forgotten, or that has the same fingerprint and whose last attempt
	// has lapsed without a commit and without an answer; Since stays that of the
	// first attempt.
	Claim(ctx context.Context, c *idempotency.Claim, fingerprint idempotency.Digest, t idempotency.Terms) (idempotency.Record, bool, error)
	// Answer stores the answer. It fails with idempotency.ErrInProgress when the
	// request is another attempt's by now.
	Answer(ctx context.Context, c idempotency.Claim, a idempotency.Answer) error
	// Release lets the claim lapse at once, when there is no answer to keep.
	Release(ctx context.Context, c idempotency.Claim) error
	// Erase forgets up to limit requests of all organizations whose time is over,
	// with their answers, and returns how many those were.
	Erase(ctx context.Context, limit int) (int, error)
}

// Pinger tells whether something we depend on answers.
type Pinger interface {
	// Name is the dependency's name, such as "postgres".
	Name() string
	// Ping fails when the dependency does not answer.
	Ping(ctx context.Context) error
}
