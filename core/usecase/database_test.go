package usecase_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// database is a real one. Making one takes much longer than most tests here, so
// they are used again: by one test at a time, and emptied in between.
type database struct {
	db    *postgres.DB
	admin *pgx.Conn // a superuser's, from whom no policy hides anything
}

// free are the databases that no test has now.
var free struct {
	mu   sync.Mutex
	list []*database
}

// takeDatabase returns an empty database that is the test's own until it ends.
func takeDatabase(t *testing.T) *database {
	t.Helper()
	d := freeDatabase()
	if d == nil {
		d = makeDatabase(t)
	}
	_, err := d.admin.Exec(t.Context(), `DO $$ BEGIN EXECUTE (
		SELECT 'TRUNCATE ' || string_agg(quote_ident(relname), ', ') FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_version'
	); END $$`)
	must(t, err)
	t.Cleanup(func() {
		free.mu.Lock()
		defer free.mu.Unlock()
		if !d.admin.IsClosed() {
			free.list = append(free.list, d)
		}
	})
	return d
}

func freeDatabase() *database {
	free.mu.Lock()
	defer free.mu.Unlock()
	if len(free.list) == 0 {
		return nil
	}
	d := free.list[len(free.list)-1]
	free.list = free.list[:len(free.list)-1]
	return d
}

// outliving is a test whose databases stay when it ends. They end with their
// server, which ends with the process.
type outliving struct{ testing.TB }

func (outliving) Cleanup(func()) {}

func makeDatabase(t *testing.T) *database {
	t.Helper()
	ctx := context.Background()
	made := harness.Postgres(t).Database(outliving{t})
	db, err := postgres.Open(ctx, postgres.Config{URL: made.AppURL, AuthURL: made.AuthURL, MaxConns: 4, AuthMaxConns: 1})
	must(t, err)
	admin, err := pgx.Connect(ctx, made.AdminURL)
	must(t, err)
	return &database{db: db, admin: admin}
}

// selected returns the rows of a query, which is run by a superuser.
func selected[T any](w *world, convert pgx.RowToFunc[T], sql string, args ...any) []T {
	w.t.Helper()
	rows, err := w.database.admin.Query(w.t.Context(), sql, args...)
	must(w.t, err)
	out, err := pgx.CollectRows(rows, convert)
	must(w.t, err)
	return out
}

// everyRow reads a database whole, whatever its tables are.
const everyRow = `SELECT relname || query_to_xml('SELECT to_jsonb(r) AS r FROM ' || quote_ident(relname) || ' r ORDER BY 1', true, false, '')
	FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname`

// contents is all that is stored: what must have changed nothing is judged by it.
func (w *world) contents() []string {
	w.t.Helper()
	return selected(w, pgx.RowTo[string], everyRow)
}

// rows returns how many rows the tables have together.
func (w *world) rows(tables ...string) int {
	w.t.Helper()
	n := 0
	for _, table := range tables {
		n += selected(w, pgx.RowTo[int], "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize())[0]
	}
	return n
}
