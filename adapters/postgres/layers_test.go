package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// circumstances prepare the database for a query that finds nothing in it
// otherwise, and could so not be seen to find what is foreign.
var circumstances = map[string]string{
	"RoleRelease":      "UPDATE users SET role = 'custom', role_id = id, state = 'removed'",
	"UsageErase":       "UPDATE usage_hours SET hour = now() - interval '500 days'",
	"ScheduleUnhold":   "UPDATE schedules SET suspension_hold = '00000000-0000-0000-0000-000000000000'",
	"DispatchErase":    "UPDATE workflow_dispatches SET outcome = 'refused', decided_at = now() - interval '40 days'",
	"IdempotencyErase": "UPDATE idempotency_keys SET expires_at = now() - interval '1 day'",
	// The own message, which was stored first, is claimed, and only the victim's still waits.
	"OutboxGather": "UPDATE outbox SET attempts = 1 WHERE ctid = (SELECT min(ctid) FROM outbox)",
	// The victim's entry, which was stored last, is further on.
	"AuditLast":  "UPDATE audit_events SET seq = 7 WHERE ctid = (SELECT max(ctid) FROM audit_events)",
	"AuditStart": "UPDATE audit_checkpoints SET seq = 7 WHERE ctid = (SELECT max(ctid) FROM audit_checkpoints)",
	"AuditSpan":  "UPDATE audit_events SET seq = 7 WHERE ctid = (SELECT max(ctid) FROM audit_events)",
}

// TestEachQueryByPolicyAlone takes the predicates that bind a query to an
// organization away, one at a time and all together, and runs it in the scope of
// one organization with the other's ids. What comes back must be the same as if
// there were no other organization. The control, past every policy, sees it.
//
// The queries are those that are generated: one that is added is covered.
func TestEachQueryByPolicyAlone(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	admin := connect(t, d.AdminURL)
	mine, victim := uuid.New(), uuid.New()
	fill(t, admin, mine)
	fill(t, admin, victim)
	lab := laboratory{admin: admin, mine: mine, victim: victim, tables: tables(t, admin), started: time.Now()}

	all := reflect.TypeFor[*dbsqlc.Queries]()
	for m := range all.Methods() {
		t.Run("Should find nothing foreign by policy alone: "+m.Name, func(t *testing.T) {
			lab.examine(t, m.Name)
		})
	}
	t.Run("Should know of no query that is gone", func(t *testing.T) {
		is := is.New(t)
		for name := range circumstances {
			_, found := all.MethodByName(name)
			is.True(found)
		}
	})
}

// laboratory is a database with rows of two organizations in every table.
type laboratory struct {
	admin        *pgx.Conn
	mine, victim uuid.UUID
	tables       []string
	started      time.Time
}

func (l laboratory) examine(t *testing.T, name string) {
	t.Helper()
	own := strings.HasPrefix(name, "Org")
	statement := l.call(t, name, choice{}).statement
	found, err := predicates(statement, own)
	if err != nil {
		t.Fatal(err)
	}
	words, _ := tokenize(statement)
	inserts := slices.ContainsFunc(words, func(w token) bool { return w.text == "insert" })
	reason, listed := withoutOrg[name]
	bound := slices.ContainsFunc(found, func(p predicate) bool { return p.parameter != "" })
	switch {
	case listed && strings.HasPrefix(reason, "platform"):
		l.compare(t, name, statement, true) // outside its own scope it is a query like any other
	case listed:
		l.compare(t, name, statement, false)
	case !bound && !inserts:
		t.Fatal("nothing binds the query to an organization, and it is not on the list of those that need nothing")
	}
	if listed {
		return
	}
	if inserts {
		l.insert(t, name)
	}
	if !bound {
		return
	}
	for _, p := range found {
		if p.parameter != "" || len(found) > 1 {
			l.compare(t, name, without(statement, p), p.parameter != "")
		}
	}
	l.compare(t, name, without(statement, found...), true)
}

// choice is one way to choose a query's arguments.
type choice struct{ past, given, yes bool }

var choices = []choice{{}, {given: true}, {past: true}, {past: true, given: true}, {yes: true}, {yes: true, given: true}}

// compare runs a statement with and without the victim's rows, and past the
// policies. There the victim must be seen, or the rest would prove nothing, unless
// the control is waived: what one join lets through another may hold.
func (l laboratory) compare(t *testing.T, name, statement string, controlled bool) {
	t.Helper()
	seen := false
	var tried []string
	for _, c := range choices {
		args := l.call(t, name, c).args
		key := fmt.Sprint(args)
		if slices.Contains(tried, key) {
			continue
		}
		tried = append(tried, key)
		alone := l.outcome(t, name, statement, args, "bulkhead_app", true)
		bound := l.outcome(t, name, statement, args, "bulkhead_app", false)
		if bound.state != "" {
			continue // it shows and does nothing
		}
		if !reflect.DeepEqual(bound, alone) {
			t.Errorf("the policies let something through\n%s\nalone: %v\nbound: %v", statement, alone, bound)
		}
		free := l.outcome(t, name, statement, args, "", false)
		violates := strings.HasPrefix(free.state, "23") // it met what it could not see
		seen = seen || violates || (free.state == "" && !reflect.DeepEqual(free, alone))
	}
	if controlled && !seen {
		t.Errorf("no policy is needed to find nothing foreign: teach the test better arguments or circumstances\n%s", statement)
	}
}

// insert stores a row that says that it is the victim's.
func (l laboratory) insert(t *testing.T, name string) {
	t.Helper()
	posing := l
	posing.mine = l.victim
	c := posing.call(t, name, choice{given: true})
	bound := l.outcome(t, name, c.statement, c.args, "bulkhead_app", false)
	free := l.outcome(t, name, c.statement, c.args, "", false)
	none := bound.state == "" && bound.affected == 0 // it depends on a row that the policy hides
	if bound.state != insufficientPrivilege && !none {
		t.Errorf("a row of another organization was not refused: %v", bound)
	}
	if free.state == insufficientPrivilege {
		t.Errorf("it is not the policy that refuses: %v", free)
	}
}

// outcome is all that a statement shows and does.
type outcome struct {
	rows     []string
	affected int64
	state    string // SQLSTATE
	victim   map[string]string
}

// outcome runs a statement in the scope of one organization and takes it back.
func (l laboratory) outcome(t *testing.T, name, statement string, args []any, role string, alone bool) (out outcome) {
	t.Helper()
	is := is.New(t)
	tx, err := l.admin.Begin(t.Context())
	is.NoErr(err)
	defer func() { is.NoErr(tx.Rollback(t.Context())) }()
	exec := func(sql string) {
		t.Helper()
		_, err := tx.Exec(t.Context(), sql)
		is.NoErr(err)
	}
	exec("SET LOCAL session_replication_role = replica") // neither references nor triggers are in the way
	exec(circumstances[name])
	if alone {
		for _, table := range l.tables {
			if !slices.Contains(ofPlatform, table) {
				exec("DELETE FROM " + table + " WHERE " + orgColumn(table) + " = '" + l.victim.String() + "'")
			}
		}
	}
	if !alone {
		out.victim = l.victimDigests(t, tx)
	}
	before := maps.Clone(out.victim)
	exec("SET LOCAL session_replication_role = origin")
	exec("SET LOCAL app.org_id = '" + l.mine.String() + "'")
	if role != "" {
		exec("SET LOCAL ROLE " + role)
	}
	rows, err := tx.Query(t.Context(), statement, args...)
	if err == nil {
		for rows.Next() {
			values, err := rows.Values()
			is.NoErr(err)
			out.rows = append(out.rows, l.legible(values))
		}
		rows.Close()
		err = rows.Err()
		out.affected = rows.CommandTag().RowsAffected()
	}
	out.victim = nil
	if err != nil {
		if out.state = sqlState(err); out.state == "" || out.state[:2] == "42" && out.state != insufficientPrivilege {
			t.Fatalf("%s: %v", statement, err) // a mistake of the test
		}
		return out
	}
	if !alone {
		exec("RESET ROLE")
		if after := l.victimDigests(t, tx); !maps.Equal(before, after) {
			out.victim = after
		}
	}
	slices.Sort(out.rows)
	return out
}

func (l laboratory) victimDigests(t *testing.T, tx pgx.Tx) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range l.tables {
		if slices.Contains(ofPlatform, table) {
			continue
		}
		var digest string
		err := tx.QueryRow(t.Context(), "SELECT coalesce(md5(string_agg(r::text, ',' ORDER BY r::text)), '') FROM "+table+" AS r WHERE "+
			orgColumn(table)+" = $1", l.victim).Scan(&digest)
		if err != nil {
			t.Fatal(err)
		}
		out[table] = digest
	}
	return out
}

// aSnapshot is how Postgres writes one.
var aSnapshot = regexp.MustCompile(`^\d+:\d+:[\d,]*$`)

// legible forgets the moment that it is, which differs from run to run.
func (l laboratory) legible(values []any) string {
	for i, v := range values {
		at, isTime := v.(time.Time)
		text, _ := v.(string)
		if (isTime && at.After(l.started)) || aSnapshot.MatchString(text) {
			values[i] = "now"
		}
	}
	return fmt.Sprint(values...)
}

// called is what a generated method sends.
type called struct {
	statement string
	args      []any
}

var errCaptured = errors.New("captured")

// capture is a database that only notes what it is asked.
type capture struct{ *called }

func (c capture) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	c.statement, c.args = sql, args
	return pgconn.CommandTag{}, errCaptured
}

func (c capture) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	c.statement, c.args = sql, args
	return nil, errCaptured
}

func (c capture) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	c.statement, c.args = sql, args
	return capturedRow{}
}

func (c capture) SendBatch(_ context.Context, b *pgx.Batch) pgx.BatchResults {
	c.statement, c.args = b.QueuedQueries[0].SQL, b.QueuedQueries[0].Arguments
	return nil
}

type capturedRow struct{}

func (capturedRow) Scan(...any) error { return errCaptured }

// call calls a generated method with the own organization and, for all the rest,
// with what the victim's rows hold.
func (l laboratory) call(t *testing.T, name string, c choice) called {
	t.Helper()
	out := called{}
	method := reflect.ValueOf(dbsqlc.New()).MethodByName(name)
	send := func(extra ...reflect.Value) {
		method.Call(append([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(capture{&out})}, extra...))
	}
	if method.Type().NumIn() == 2 {
		send()
		return out
	}
	argument := method.Type().In(2)
	if argument.Kind() == reflect.Slice && argument.Elem().Kind() == reflect.Pointer { // a batch: of one
		batch := argument
		argument = batch.Elem()
		one := send
		send = func(extra ...reflect.Value) {
			one(reflect.Append(reflect.MakeSlice(batch, 0, 1), extra...))
		}
	}
	if argument.Kind() != reflect.Pointer {
		send(reflect.Zero(argument)) // to learn the statement, and so what the argument is compared with
		send(l.value(t, name, out.statement, scalarName(out.statement), argument, c))
		return out
	}
	send(reflect.New(argument.Elem()))
	filled := reflect.New(argument.Elem())
	for field := range argument.Elem().Fields() {
		filled.Elem().FieldByIndex(field.Index).Set(l.value(t, name, out.statement, field.Name, field.Type, c))
	}
	send(filled)
	return out
}

// scalarName is the column that the only parameter of a statement must be equal
// to.
func scalarName(statement string) string {
	words, _ := tokenize(statement)
	for i := 2; i < len(words); i++ {
		if words[i].text == "$1" && words[i-1].text == "=" {
			return words[i-2].text
		}
	}
	return ""
}

// value chooses the value of a parameter.
func (l laboratory) value(t *testing.T, query, statement, field string, typ reflect.Type, c choice) reflect.Value {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(field, "_", ""))
	whose := l.victim
	if own := strings.HasPrefix(query, "Org") && slices.Equal(mentioned(statement, l.tables), []string{"organizations"}); own {
		whose = l.mine // names are shared: the other's would only be refused
	}
	if name == "orgid" {
		return reflect.ValueOf(l.mine).Convert(typ)
	}
	out := reflect.New(typ)
	if typ.Kind() == reflect.Pointer && !c.given {
		return out.Elem()
	}
	for _, table := range mentioned(statement, l.tables) {
		if slices.Contains(ofPlatform, table) {
			continue
		}
		for _, column := range l.columns(t, table) {
			flat := strings.ReplaceAll(column, "_", "")
			switch {
			case flat == name:
				if l.has(t, whose, table, column, out.Interface()) {
					return out.Elem()
				}
			case typ.Kind() == reflect.Slice && (flat+"s" == name || flat+"es" == name):
				one := reflect.New(typ.Elem())
				if l.has(t, whose, table, column, one.Interface()) {
					return reflect.Append(out.Elem(), one.Elem())
				}
			}
		}
	}
	return l.guess(typ, c)
}

// guess chooses a value that a parameter of the type excludes nothing with.
func (l laboratory) guess(typ reflect.Type, c choice) reflect.Value {
	out := reflect.New(typ).Elem()
	switch {
	case typ == reflect.TypeFor[time.Time]():
		at := l.started.AddDate(100, 0, 0)
		if c.past {
			at = l.started.AddDate(-100, 0, 0)
		}
		out.Set(reflect.ValueOf(at))
	case typ == reflect.TypeFor[uuid.UUID]() && c.yes: // below which there is everything
		out.Set(reflect.ValueOf(uuid.Max))
	case typ.Kind() == reflect.Bool:
		out.SetBool(c.yes)
	case out.CanInt():
		out.SetInt(1000)
	case out.CanFloat():
		out.SetFloat(1000)
	case typ == reflect.TypeFor[[]byte]() && c.given:
		out.SetBytes([]byte("1"))
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8:
		out.Set(reflect.MakeSlice(typ, 0, 0))
	}
	return out
}

func (l laboratory) columns(t *testing.T, table string) []string {
	t.Helper()
	rows, err := l.admin.Query(t.Context(), "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped", table)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// has reads a value of an organization's row. It is false when there is none, or
// none of that type.
func (l laboratory) has(t *testing.T, whose uuid.UUID, table, column string, to any) bool {
	t.Helper()
	return l.admin.QueryRow(t.Context(), "SELECT "+column+" FROM "+table+" WHERE "+orgColumn(table)+" = $1", whose).Scan(to) == nil
}
