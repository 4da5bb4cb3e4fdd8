package postgres_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// schemaText describes the schema from the catalog, so that the comparison needs
// no program and sees what row-level security is made of. Columns are counted
// and not numbered: a number that was once given is never given again.
const schemaText = `
SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
	SELECT format('%s %s owner=%s rls=%s force=%s options=%s acl=%s', c.relkind, c.relname, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity,
		c.reloptions, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a)) AS line
	FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'schema_version%'
	UNION ALL
	SELECT format('column %s.%s %s %s notnull=%s default=%s generated=%s acl=%s', c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
		a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attacl)
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND c.relname NOT LIKE 'schema_version%'
	UNION ALL
	SELECT format('constraint %s %s %s %s', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
	FROM pg_constraint WHERE connamespace = 'public'::regnamespace
	UNION ALL
	SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
	UNION ALL
	SELECT format('policy %s.%s %s %s %s %s %s', tablename, policyname, permissive, roles, cmd, qual, with_check) FROM pg_policies
	UNION ALL
	SELECT format('function %s definer=%s config=%s acl=%s %s', oid::regprocedure, prosecdef, proconfig, proacl, prosrc)
	FROM pg_proc WHERE pronamespace = 'public'::regnamespace
	UNION ALL
	SELECT format('type %s %s', typname, typtype) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%schema_version'
	UNION ALL
	SELECT format('view %s %s', viewname, definition) FROM pg_views WHERE schemaname = 'public'
	UNION ALL
	SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
) AS lines`

func schema(t testing.TB, conn *pgx.Conn) string {
	t.Helper()
	var text *string
	if err := conn.QueryRow(t.Context(), schemaText).Scan(&text); err != nil {
		t.Fatal(err)
	}
	if text == nil {
		return ""
	}
	return *text
}

// digests returns a digest of each table's rows; "" for a table without.
func digests(t testing.TB, conn *pgx.Conn) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range tables(t, conn) {
		var digest string
		err := conn.QueryRow(t.Context(), "SELECT coalesce(md5(string_agg(r::text, ',' ORDER BY r::text)), '') FROM "+table+" AS r").Scan(&digest)
		if err != nil {
			t.Fatal(err)
		}
		out[table] = digest
	}
	return out
}

// stored are the rows of tables, each by its columns.
type stored map[string][]map[string]string

// storedRows reads every row there is.
func storedRows(t testing.TB, conn *pgx.Conn) stored {
	t.Helper()
	out := stored{}
	for _, table := range tables(t, conn) {
		out[table] = nil
		found, err := conn.Query(t.Context(), "SELECT to_jsonb(r)::text FROM "+table+" AS r")
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			var row map[string]json.RawMessage
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			columns := map[string]string{}
			for column, value := range row {
				columns[column] = string(value)
			}
			out[table] = append(out[table], columns)
		}
	}
	return out
}

// shared leaves of s what the schema of other has too: its tables, and their
// columns.
func (s stored) shared(other stored) map[string][]string {
	out := map[string][]string{}
	for table, all := range s {
		others, known := other[table]
		if !known {
			continue
		}
		out[table] = []string{}
		for _, row := range all {
			kept := map[string]string{}
			for column, value := range row {
				if len(others) == 0 || has(others[0], column) {
					kept[column] = value
				}
			}
			line, err := json.Marshal(kept)
			if err != nil {
				panic(err) // strings always have a form in JSON
			}
			out[table] = append(out[table], string(line))
		}
		slices.Sort(out[table])
	}
	return out
}

func has(row map[string]string, column string) bool { _, ok := row[column]; return ok }
