package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// The constraints whose violation means something to a caller. A test compares
// the names with the schema.
const (
	orgPK        = "organizations_pkey"
	orgSlugKey   = "organizations_slug_key"
	orgSpaceKey  = "organizations_namespace_key"
	userEmailKey = "users_email_key"
	keyUserFK    = "api_keys_user_fkey"
	roleNameKey  = "roles_name_key"
	userRoleFK   = "users_role_fkey"

	userOrgFK      = "users_org_id_fkey"
	roleOrgFK      = "roles_org_id_fkey"
	keyOrgFK       = "api_keys_org_id_fkey"
	keyUseOrgFK    = "api_key_uses_org_id_fkey"
	operationOrgFK = "operations_org_id_fkey"
	outboxOrgFK    = "outbox_org_id_fkey"
	scheduleOrgFK  = "schedules_org_id_fkey"
	dispatchOrgFK  = "workflow_dispatches_org_id_fkey"
)

// violations says what the violation of a constraint means. Any other is a
// mistake of ours.
var violations = map[string]*fault.Error{
	orgPK:        org.ErrIDTaken,
	orgSlugKey:   org.ErrSlugTaken,
	orgSpaceKey:  org.ErrIDTaken, // of the same slug once, and an identifier chosen to end alike
	userEmailKey: user.ErrEmailTaken,
	keyUserFK:    fault.ErrNotFound,
	roleNameKey:  role.ErrNameTaken,
	userRoleFK:   role.ErrUnknown,

	// What belongs to an organization that does not exist.
	userOrgFK:      fault.ErrNotFound,
	roleOrgFK:      fault.ErrNotFound,
	keyOrgFK:       fault.ErrNotFound,
	keyUseOrgFK:    fault.ErrNotFound,
	operationOrgFK: fault.ErrNotFound,
	outboxOrgFK:    fault.ErrNotFound,
	scheduleOrgFK:  fault.ErrNotFound,
	dispatchOrgFK:  fault.ErrNotFound,
}

// What stays empty in an entry of a trail that has no head: that of an organization
// which does not exist.
const (
	trailTable  = "audit_events"
	trailNumber = "seq"
)

// The SQLSTATEs that are told apart; Postgres' manual lists them in appendix A.
const (
	notNullViolation     = "23502"
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// states maps SQLSTATEs to faults.
var states = map[string]*fault.Error{
	"22003": fault.ErrInvalid, // a number out of range
	"22021": fault.ErrInvalid, // a character that is none in UTF-8, NUL among them
	"22P02": fault.ErrInvalid, // not the text form of the type
	"22P05": fault.ErrInvalid, // "\u0000" in JSON

	"25006": fault.ErrUnavailable, // read-only: a replica that was not promoted yet
	"25P03": fault.ErrTimeout,     // a transaction left idle
	"25P04": fault.ErrTimeout,     // a transaction that took too long
	"55P03": fault.ErrTimeout,     // a lock waited for too long
	"57014": fault.ErrTimeout,     // a statement that took too long
	"57P01": fault.ErrUnavailable, // the server shuts down
	"57P02": fault.ErrUnavailable, // … after a crash
	"57P03": fault.ErrUnavailable, // … or still starts
	"57P05": fault.ErrUnavailable, // the session was idle for too long

	serializationFailure: fault.ErrUnavailable, // lost against others again and again
	deadlockDetected:     fault.ErrUnavailable,
}

// classes maps the first two characters of SQLSTATEs.
var classes = map[string]*fault.Error{
	"08": fault.ErrUnavailable, // the connection
	"53": fault.ErrUnavailable, // no disk, memory or connection left
}

// comeBack is what callers are advised when the database is away. It is
// usually back within seconds: a restart, or a replica that takes over.
const comeBack = time.Second

// translate turns an error of Postgres or pgx into a fault. Everything that
// the package asks of the database passes through here once. What the caller
// caused by leaving stays context.Canceled: nobody is waiting for an answer.
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.ErrNotFound
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		// Whatever the server says at the door, a wrong password too, is never the
		// fault of the request that wanted to come in.
		return fault.ErrUnavailable.Because(err).After(comeBack)
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return translateAnswer(answer, err)
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) {
		return fault.ErrTimeout.Because(err)
	}
	if isConnectionLost(err) {
		return fault.ErrUnavailable.Because(err).After(comeBack)
	}
	return err
}

func translateAnswer(answer *pgconn.PgError, err error) error {
	if answer.Code == uniqueViolation || answer.Code == foreignKeyViolation {
		if f, ok := violations[answer.ConstraintName]; ok {
			return f.Because(err)
		}
		return err
	}
	if answer.Code == notNullViolation && answer.TableName == trailTable && answer.ColumnName == trailNumber {
		return fault.ErrNotFound.Because(err)
	}
	f, ok := states[answer.Code]
	if !ok {
		f, ok = classes[answer.Code[:min(2, len(answer.Code))]]
	}
	switch {
	case !ok:
		return err
	case f.Kind == fault.Unavailable:
		return f.Because(err).After(comeBack)
	default:
		return f.Because(err)
	}
}

// isConnectionLost tells whether err is of a connection that broke in use.
func isConnectionLost(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// isRepeatable tells whether the same transaction may succeed if run again.
func isRepeatable(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (answer.Code == serializationFailure || answer.Code == deadlockDetected)
}

// guarded translates every error of what it wraps, so that no method can
// forget to.
type guarded struct{ db dbsqlc.DBTX }

var _ dbsqlc.DBTX = guarded{}

// Exec implements dbsqlc.DBTX.
func (g guarded) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := g.db.Exec(ctx, sql, args...)
	return tag, translate(ctx, err)
}

// Query implements dbsqlc.DBTX.
func (g guarded) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := g.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return guardedRows{rows, ctx}, nil
}

// QueryRow implements dbsqlc.DBTX.
func (g guarded) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return guardedRow{g.db.QueryRow(ctx, sql, args...), ctx}
}

// SendBatch implements dbsqlc.DBTX.
func (g guarded) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return guardedBatch{g.db.SendBatch(ctx, b), ctx}
}

// guardedBatch translates the errors of a batch.
type guardedBatch struct {
	pgx.BatchResults
	ctx context.Context
}

func (b guardedBatch) Exec() (pgconn.CommandTag, error) {
	tag, err := b.BatchResults.Exec()
	return tag, translate(b.ctx, err)
}

func (b guardedBatch) Query() (pgx.Rows, error) {
	rows, err := b.BatchResults.Query()
	if err != nil {
		return nil, translate(b.ctx, err)
	}
	return guardedRows{rows, b.ctx}, nil
}

func (b guardedBatch) QueryRow() pgx.Row { return guardedRow{b.BatchResults.QueryRow(), b.ctx} }

func (b guardedBatch) Close() error { return translate(b.ctx, b.BatchResults.Close()) }

// guardedRows and guardedRow live no longer than the call whose context they
// keep.
type guardedRows struct {
	pgx.Rows
	ctx context.Context
}

func (r guardedRows) Err() error             { return translate(r.ctx, r.Rows.Err()) }
func (r guardedRows) Scan(dest ...any) error { return translate(r.ctx, r.Rows.Scan(dest...)) }

type guardedRow struct {
	row pgx.Row
	ctx context.Context
}

func (r guardedRow) Scan(dest ...any) error { return translate(r.ctx, r.row.Scan(dest...)) }
