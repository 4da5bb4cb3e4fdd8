package isolation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// database is the product's database as a superuser sees it.
type database struct {
	pool   *pgxpool.Pool
	tables []table
}

// table is a table with the column that says whose a row is.
type table struct{ name, owner string }

func openDatabase(t testing.TB, d harness.Database) *database {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), d.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	rows, err := pool.Query(t.Context(), `
		SELECT c.table_name FROM information_schema.columns c
		JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND c.column_name = 'org_id' AND t.table_type = 'BASE TABLE'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	db := &database{pool: pool, tables: []table{{"organizations", "id"}}}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		db.tables = append(db.tables, table{name, "org_id"})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return db
}

func (db *database) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	tag, err := db.pool.Exec(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if strings.HasPrefix(sql, "UPDATE") && tag.RowsAffected() != 1 {
		t.Fatalf("%s: changed %d rows", sql, tag.RowsAffected())
	}
}

// digest returns the digest of all rows of an organization, by table. When a key was
// used last is left out, and how much was asked by its keys: both are written later,
// and not by an attack.
func (db *database) digest(ctx context.Context, org string) (map[string]string, error) {
	var union []string
	for _, t := range db.tables {
		if t.name == "usage_hours" {
			continue
		}
		union = append(union, fmt.Sprintf(
			`SELECT '%[1]s', coalesce(md5(string_agg(row, E'\n' ORDER BY row)), '') FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS row FROM %[1]s t WHERE t.%[2]s = $1) rows`,
			t.name, t.owner))
	}
	rows, err := db.pool.Query(ctx, strings.Join(union, " UNION ALL "), org)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var name, sum string
		if err := rows.Scan(&name, &sum); err != nil {
			return nil, err
		}
		found[name] = sum
	}
	return found, rows.Err()
}

// settling is for how long an organization's own work may take to end.
const settling = time.Minute

// settle waits until nothing is left to be done of what an organization has asked for:
// Bulkhead goes on with it, and writes it down, after the answer.
func (db *database) settle(ctx context.Context, org string) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		var left int
		err := db.pool.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM outbox WHERE org_id = $1)
			+ (SELECT count(*) FROM operations WHERE org_id = $1 AND kind LIKE 'schedules.%' AND state IN ('pending', 'running'))
			+ (SELECT count(*) FROM workflow_dispatches WHERE org_id = $1 AND outcome = 'requested')`, org).Scan(&left)
		if err != nil || left == 0 {
			return // what goes on is told as a change
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// trail returns the last lines of an organization's trail, for a finding.
func (db *database) trail(ctx context.Context, org string) string {
	var lines string
	err := db.pool.QueryRow(ctx, `SELECT string_agg(line, '; ') FROM (
		SELECT concat_ws(' ', at, actor_kind, actor_name, action, resource_type, resource_id, outcome, changes) AS line
		FROM audit_events WHERE org_id = $1 ORDER BY seq DESC LIMIT 3) newest`, org).Scan(&lines)
	if err != nil {
		return err.Error()
	}
	return lines
}

// differences names the tables in which two digests differ.
func differences(a, b map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	return names
}

// texts returns every text in an organization's rows, with where it stands.
func (db *database) texts(t testing.TB, org string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, tab := range db.tables {
		rows, err := db.pool.Query(t.Context(), fmt.Sprintf(`SELECT to_jsonb(t) FROM %s t WHERE t.%s = $1`, tab.name, tab.owner), org)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var raw []byte
			var row map[string]any
			if err := rows.Scan(&raw); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, &row); err != nil {
				t.Fatal(err)
			}
			for column, v := range row {
				where := tab.name + "." + column
				leaves(v, func(s string) { found[s] = where })
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return found
}

// leaves visits the texts in a JSON value.
func leaves(v any, visit func(string)) {
	switch v := v.(type) {
	case string:
		visit(v)
	case []any:
		for _, item := range v {
			leaves(item, visit)
		}
	case map[string]any:
		for _, item := range v {
			leaves(item, visit)
		}
	}
}

// leastSecret is the least length of a text that is searched for: shorter ones
// stand in any answer by chance.
const leastSecret = 8

// shortTime is a time whose last digits are zeros, and are not shown: others begin with
// it by chance.
var shortTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,5})?$`)

// hide finds out what attackers must not see: every text of the victim's rows
// that no row of their own has, and all that the seeds have kept. Of the rows, a
// text without a digit is a word of the product ("workflow"): those of the
// victim's own are the seeds' random words.
func (w *world) hide(t testing.TB) {
	t.Helper()
	w.hidden = map[*party]*wanted{}
	victim, system := w.database.texts(t, w.b.UUID), w.database.texts(t, w.system.UUID)
	for own, foreign := range map[*party][]map[string]string{w.a: {victim, system}, w.system: {victim}} {
		known := w.database.texts(t, own.UUID)
		all := map[string]string{}
		for _, texts := range foreign {
			for s, where := range texts {
				if !strings.ContainsAny(s, "0123456789") {
					continue
				}
				for _, form := range forms(s) {
					all[form] = where
				}
			}
		}
		for _, s := range w.b.secrets {
			all[s.text] = s.what
		}
		for s := range known {
			for _, form := range forms(s) {
				delete(all, form)
			}
		}
		var secrets []secret
		for text, what := range all {
			if len(text) >= leastSecret && !shortTime.MatchString(text) {
				secrets = append(secrets, secret{text, what})
			}
		}
		w.hidden[own] = newWanted(secrets)
	}
}

// forms are the ways in which an answer may show a stored text.
func forms(s string) []string {
	if u, err := uuid.Parse(s); err == nil {
		_, tail, _ := strings.Cut(id.FromUUID[id.UserKind](u).String(), "_")
		return []string{u.String(), tail, string(u[:])}
	}
	if typedID.MatchString(s) {
		_, tail, _ := strings.Cut(s, "_")
		return []string{tail}
	}
	return []string{strings.TrimSuffix(s, "+00:00")} // a time, in any notation of its zone
}
