package usecase_test

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

type (
	orgWriter struct {
		*spy
		real ports.OrgWriter
	}
	userWriter struct {
		*spy
		real ports.UserWriter
	}
	roleWriter struct {
		*spy
		real ports.RoleWriter
	}
	keyWriter struct {
		*spy
		real ports.APIKeyWriter
	}
	operationWriter struct {
		*spy
		real ports.OperationWriter
	}
	auditWriter struct {
		*spy
		real ports.AuditWriter
	}
	outboxWriter struct {
		*spy
		real ports.OutboxWriter
	}
)

func (w orgWriter) Insert(ctx context.Context, o org.Org) error {
	return done(w.spy, "Orgs.Insert", func() error { return w.real.Insert(ctx, o) })
}

func (w orgWriter) Lock(ctx context.Context) (org.Org, error) {
	return asked(w.spy, "Orgs.Lock", func() (org.Org, error) { return w.real.Lock(ctx) })
}

func (w orgWriter) Counts(ctx context.Context) (org.Counts, error) {
	return asked(w.spy, "Orgs.Counts", func() (org.Counts, error) { return w.real.Counts(ctx) })
}

func (w orgWriter) Update(ctx context.Context, fn func(*org.Org) error) error {
	return done(w.spy, "Orgs.Update", func() error { return w.real.Update(ctx, fn) })
}

// Purge takes one row of a table at a time, so that whoever forgets the next is
// found out.
func (w orgWriter) Purge(ctx context.Context, _ int) (int64, error) {
	return asked(w.spy, "Orgs.Purge", func() (int64, error) { return w.real.Purge(ctx, 1) })
}

func (w userWriter) Insert(ctx context.Context, u user.User) error {
	return done(w.spy, "Users.Insert", func() error { return w.real.Insert(ctx, u) })
}

func (w userWriter) Lock(ctx context.Context, u id.User) (user.User, error) {
	return asked(w.spy, "Users.Lock", func() (user.User, error) { return w.real.Lock(ctx, u) })
}

func (w userWriter) LockAll(ctx context.Context, ids []id.User) ([]user.User, error) {
	return asked(w.spy, "Users.LockAll", func() ([]user.User, error) { return w.real.LockAll(ctx, ids) })
}

func (w userWriter) CountActive(ctx context.Context, r authz.Role) (int, error) {
	return asked(w.spy, "Users.CountActive", func() (int, error) { return w.real.CountActive(ctx, r) })
}

func (w userWriter) InsertAll(ctx context.Context, us []user.User) ([]id.User, error) {
	return asked(w.spy, "Users.InsertAll", func() ([]id.User, error) { return w.real.InsertAll(ctx, us) })
}

func (w userWriter) UpdateAll(ctx context.Context, us []user.User) error {
	return done(w.spy, "Users.UpdateAll", func() error { return w.real.UpdateAll(ctx, us) })
}

func (w roleWriter) Insert(ctx context.Context, r role.Role) error {
	return done(w.spy, "Roles.Insert", func() error { return w.real.Insert(ctx, r) })
}

func (w roleWriter) Update(ctx context.Context, r id.Role, fn func(*role.Role) error) error {
	return done(w.spy, "Roles.Update", func() error { return w.real.Update(ctx, r, fn) })
}

func (w roleWriter) Delete(ctx context.Context, r id.Role) error {
	return done(w.spy, "Roles.Delete", func() error { return w.real.Delete(ctx, r) })
}

func (w keyWriter) Insert(ctx context.Context, k apikey.Key) error {
	return done(w.spy, "APIKeys.Insert", func() error { return w.real.Insert(ctx, k) })
}

func (w keyWriter) Update(ctx context.Context, k id.APIKey, fn func(*apikey.Key) error) error {
	return done(w.spy, "APIKeys.Update", func() error { return w.real.Update(ctx, k, fn) })
}

func (w keyWriter) Delete(ctx context.Context, k id.APIKey, fn func(*apikey.Key) error) error {
	return done(w.spy, "APIKeys.Delete", func() error { return w.real.Delete(ctx, k, fn) })
}

func (w operationWriter) Insert(ctx context.Context, o operation.Operation) error {
	return done(w.spy, "Operations.Insert", func() error { return w.real.Insert(ctx, o) })
}

func (w operationWriter) Update(ctx context.Context, o id.Operation, fn func(*operation.Operation) error) error {
	return done(w.spy, "Operations.Update", func() error { return w.real.Update(ctx, o, fn) })
}

func (w operationWriter) UpdateOpen(ctx context.Context, k operation.Kind, fn func(*operation.Operation) error) error {
	return done(w.spy, "Operations.UpdateOpen", func() error { return w.real.UpdateOpen(ctx, k, fn) })
}

func (w auditWriter) Append(ctx context.Context, e audit.Entry) error {
	canBeFound(w.t, e)
	return done(w.spy, "Audit.Append", func() error { return w.real.Append(ctx, e) })
}

func (w auditWriter) Purge(ctx context.Context, many int) (int64, error) {
	return asked(w.spy, "Audit.Purge", func() (int64, error) { return w.real.Purge(ctx, many) })
}

func (w outboxWriter) Append(ctx context.Context, m outbox.Message) error {
	return done(w.spy, "Outbox.Append", func() error { return w.real.Append(ctx, m) })
}
