-- The catalog gate: every row of the answer is a rule of the schema that is broken,
-- and by what. A sound database answers with no row. Run it as a superuser, as the
-- owner or as the backup's role (psql -f), after a restore for example.
--
-- What is allowed although a rule forbids it stands in the lists below, each with its
-- reason. Everything else about a new table follows from its having an org_id.

WITH
-- Tables of the platform: no row of theirs belongs to a tenant.
tenantless (relation, reason) AS (VALUES
    ('signing_keys',   'sign the data-plane tokens of the whole deployment'),
    ('usage_writers',  'which batch each process has added last'),
    ('worker_members', 'processes, each of which serves many tenants'),
    ('namespace_passes', 'how far the pass over the namespaces of all tenants is'),
    ('schema_version', 'written by the migrator')
),
-- What a policy beside that of the template may ask for, as Postgres prints it.
conditions (condition, text) AS (VALUES
    ('everything', 'true'),
    ('platform',   '(( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text)'),
    ('scope',      '(org_id = ( SELECT (NULLIF(current_setting(''app.org_id''::text, true), ''''::text))::uuid AS "nullif"))'),
    ('aged',       '((( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text) AND (hour < (now() - ''400 days''::interval)))'),
    ('undecided',  '((( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text) AND (outcome = ''requested''::text))'),
    ('decided',    '((( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text) AND (decided_at < (now() - ''30 days''::interval)))'),
    ('expired',    '((( SELECT current_setting(''app.platform''::text, true) AS current_setting) = ''on''::text) AND (expires_at <= now()))')
),
-- Policies beside that of the template.
policies (relation, policy, command, grantee, condition, reason) AS (VALUES
    ('organizations',    'platform',         'SELECT', 'bulkhead_app',  'platform',   'operators list tenants; Bulkhead looks for work in all'),
    ('operations',       'platform',         'SELECT', 'bulkhead_app',  'platform',   'who was given an operation knows its id and nothing else'),
    ('audit_events',     'platform',         'SELECT', 'bulkhead_app',  'platform',   'operators read the trails of all tenants'),
    ('audit_checkpoints', 'checkpoint',      'INSERT', 'bulkhead_owner', 'scope',     'a purge of old entries leaves one'),
    ('outbox',           'platform_read',    'SELECT', 'bulkhead_app',  'platform',   'the relay works for all tenants'),
    ('outbox',           'platform_claim',   'UPDATE', 'bulkhead_app',  'platform',   'the relay works for all tenants'),
    ('outbox',           'platform_done',    'DELETE', 'bulkhead_app',  'platform',   'the relay works for all tenants'),
    ('idempotency_keys', 'platform_expired', 'SELECT', 'bulkhead_app',  'expired',    'what has expired is erased, whose it may be'),
    ('idempotency_keys', 'platform_erase',   'DELETE', 'bulkhead_app',  'expired',    'what has expired is erased, whose it may be'),
    ('workflow_dispatches', 'platform_open',    'SELECT', 'bulkhead_app', 'undecided', 'what has come of lost starts is found out, whose they may be'),
    ('workflow_dispatches', 'platform_expired', 'SELECT', 'bulkhead_app', 'decided',   'what is older than it is kept is erased, whose it may be'),
    ('workflow_dispatches', 'platform_erase',   'DELETE', 'bulkhead_app', 'decided',   'what is older than it is kept is erased, whose it may be'),
    ('api_key_uses',     'platform_read',    'SELECT', 'bulkhead_app',  'platform',   'when secrets were last used is noted for all tenants at once'),
    ('api_key_uses',     'platform_use',     'UPDATE', 'bulkhead_app',  'platform',   'when secrets were last used is noted for all tenants at once'),
    ('usage_hours',      'platform_read',    'SELECT', 'bulkhead_app',  'platform',   'processes add what they counted for all tenants at once'),
    ('usage_hours',      'platform_insert',  'INSERT', 'bulkhead_app',  'platform',   'processes add what they counted for all tenants at once'),
    ('usage_hours',      'platform_add',     'UPDATE', 'bulkhead_app',  'platform',   'processes add what they counted for all tenants at once'),
    ('usage_hours',      'platform_erase',   'DELETE', 'bulkhead_app',  'aged',       'what is older than it is kept is erased, whose it may be'),
    ('organizations',    'authentication',   'SELECT', 'bulkhead_auth', 'everything', 'authentication comes before the tenant is known'),
    ('users',            'authentication',   'SELECT', 'bulkhead_auth', 'everything', 'authentication comes before the tenant is known'),
    ('roles',            'authentication',   'SELECT', 'bulkhead_auth', 'everything', 'authentication comes before the tenant is known'),
    ('api_keys',         'authentication',   'SELECT', 'bulkhead_auth', 'everything', 'authentication comes before the tenant is known')
),
-- What the app role may do to a whole table beyond SELECT, INSERT and UPDATE.
deletions (relation, reason) AS (VALUES
    ('outbox',           'a delivered message is gone'),
    ('api_keys',         'a key that has ended can be removed; its trail stays'),
    ('api_key_uses',     'they go with their key'),
    ('idempotency_keys', 'they expire'),
    ('usage_hours',      'they are kept for 400 days'),
    ('usage_writers',    'a process that is gone adds nothing more'),
    ('worker_members',   'a process that is gone serves nobody'),
    ('workflow_dispatches', 'they are kept for 30 days'),
    ('schedules',        'the row goes with the schedule, which is Temporal''s'),
    ('roles',            'a custom role that nobody has can be deleted')
),
-- Tables that only grow: no UPDATE, not even of a column.
growing (relation, reason) AS (VALUES
    ('audit_events', 'a trail that can be rewritten proves nothing')
),
-- Tables that refer to no other of tenants.
detached (relation, reason) AS (VALUES
    ('audit_heads', 'made by a trigger with its organization; a reference would lock that one''s row whenever the head moves'),
    ('usage_hours', 'added for organizations that are there; a reference would have each addition wait for changes of them')
),
-- The columns that the authentication role reads: what it takes to tell who a key is.
authentication (relation, columns) AS (VALUES
    ('organizations', '{id,slug,state,limits,touched}'::text[]),
    ('users',         '{org_id,id,role,role_id,state,touched}'),
    ('roles',         '{org_id,id,name,permissions,touched}'),
    ('api_keys',      '{org_id,id,user_id,scopes,pepper_version,hash,state,expires_at,
                       allowed_ips,generation,old_pepper_version,old_hash,old_expires_at,old_until_seen,warn_at,limits,touched}')
),
-- Uniqueness across tenants.
uniqueness (index, reason) AS (VALUES
    ('organizations_slug_key',      'a name that the deployment shares; a taken one is told to operators only'),
    ('organizations_namespace_key', 'Temporal''s namespaces are shared; the name holds random characters'),
    ('api_keys_hash_key',           'looked up before the tenant is known; 256 random bits')
),
-- Functions that run with the rights of their owner, who is bound by row-level security too.
definers (function, reason) AS (VALUES
    ('purge_organization(uuid,integer)', 'nobody may delete what a deleted organization leaves, but for all of it at once'),
    ('purge_audit(uuid,integer)',        'nobody may delete from a trail, but for what the organization keeps no longer')
),
-- Tables that outlive an organization: its purge takes nothing of them.
outliving (relation, reason) AS (
    SELECT 'organizations', 'the tombstone' UNION ALL
    SELECT relname::text, 'a trail outlives its subject' FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND starts_with(relname, 'audit_')
),

relations AS (
    SELECT c.*, c.relname::text AS name, CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'org_id' END AS org_column,
        c.relkind IN ('r', 'p') AND (c.relname = 'organizations' OR EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped)) AS of_tenants
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
),
tenants AS (SELECT * FROM relations WHERE of_tenants AND NOT relispartition),
functions AS (
    SELECT p.*, p.oid::regprocedure::text AS signature FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p', 'w')
),
-- Who was granted what on whole relations and on columns, but for the owner.
grants AS (
    SELECT r.name, r.relkind, r.of_tenants, r.relispartition, NULL::text AS column_name,
        CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END AS grantee, a.privilege_type AS privilege, a.is_grantable
    FROM relations r, aclexplode(r.relacl) a WHERE a.grantee <> r.relowner
    UNION ALL
    SELECT r.name, r.relkind, r.of_tenants, r.relispartition, c.attname::text,
        CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable
    FROM relations r JOIN pg_attribute c ON c.attrelid = r.oid AND NOT c.attisdropped, aclexplode(c.attacl) a WHERE a.grantee <> r.relowner
),
foreign_keys AS (
    SELECT k.*, r.name AS relation, f.of_tenants AS to_tenants, f.name AS target
    FROM pg_constraint k JOIN tenants r ON r.oid = k.conrelid LEFT JOIN relations f ON f.oid = k.confrelid
    WHERE k.contype = 'f' AND k.conparentid = 0
),
-- The policies by which the owner purges: it sees and deletes the rows of the scope.
purges AS (
    SELECT t.name, p.policyname::text AS policy FROM tenants t JOIN pg_policies p ON p.schemaname = 'public' AND p.tablename = t.relname
    WHERE (p.policyname, p.cmd) IN (('purge', 'DELETE'), ('purge_sees', 'SELECT')) AND p.permissive = 'PERMISSIVE' AND p.roles = '{bulkhead_owner}'
    AND p.with_check IS NULL AND p.qual = '(' || t.org_column
        || ' = ( SELECT (NULLIF(current_setting(''app.org_id''::text, true), ''''::text))::uuid AS "nullif"))'
),
settings AS (
    SELECT r.rolname::text AS role, unnest(s.setconfig) AS setting FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = 0
),
ours AS (SELECT * FROM pg_roles WHERE rolname IN ('bulkhead_owner', 'bulkhead_app', 'bulkhead_auth', 'bulkhead_dump')),
bound AS (SELECT * FROM ours WHERE rolname <> 'bulkhead_owner')

SELECT 'row-level security' AS rule, name AS violation FROM tenants WHERE NOT (relrowsecurity AND relforcerowsecurity)
UNION ALL
SELECT 'the organization''s column', t.name FROM tenants t WHERE NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = t.org_column AND a.attnotnull AND a.atttypid = 'uuid'::regtype)
UNION ALL
SELECT 'the policy of the template', t.name FROM tenants t WHERE NOT EXISTS (
    SELECT FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = t.relname AND p.policyname = 'tenant'
    AND p.permissive = 'PERMISSIVE' AND p.cmd = 'ALL' AND p.roles = '{bulkhead_app}' AND p.qual = p.with_check AND p.qual = '(' || t.org_column
        || ' = ( SELECT (NULLIF(current_setting(''app.org_id''::text, true), ''''::text))::uuid AS "nullif"))')
UNION ALL
SELECT 'a policy that is not listed', concat_ws(' ', p.tablename, p.policyname, p.cmd, p.roles, p.qual, p.with_check) FROM pg_policies p
WHERE p.policyname <> 'tenant' AND NOT EXISTS (SELECT FROM purges WHERE name = p.tablename AND policy = p.policyname) AND NOT EXISTS (
    SELECT FROM policies l JOIN conditions USING (condition) WHERE l.relation = p.tablename AND l.policy = p.policyname AND l.command = p.cmd
    AND p.roles = ARRAY[l.grantee::name] AND p.permissive = 'PERMISSIVE'
    AND CASE p.cmd WHEN 'INSERT' THEN p.qual IS NULL AND p.with_check = text ELSE p.with_check IS NULL AND p.qual = text END)
UNION ALL
SELECT 'a purge that reaches every row', t.name FROM tenants t WHERE t.name NOT IN (SELECT relation FROM outliving)
AND (SELECT count(*) FROM purges p WHERE p.name = t.name) <> 2
UNION ALL
SELECT 'a table without tenants', name FROM relations
WHERE relkind IN ('r', 'p', 'f') AND NOT of_tenants AND NOT relispartition AND name NOT IN (SELECT relation FROM tenantless)
UNION ALL
SELECT 'a primary key that begins with the organization', t.name FROM tenants t WHERE NOT EXISTS (
    SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.conrelid = t.oid AND k.contype = 'p' AND a.attname = t.org_column)
UNION ALL
SELECT 'uniqueness inside the organization', i.relname FROM pg_index x JOIN tenants t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indisunique AND i.relname NOT IN (SELECT index FROM uniqueness) AND NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (x.indkey) AND a.attname = t.org_column)
UNION ALL
SELECT 'a reference that holds the organization', relation || '.' || conname FROM foreign_keys WHERE target <> 'organizations' AND NOT (to_tenants
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = conrelid AND a.attname = 'org_id' AND a.attnum = conkey[1])
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = confrelid AND a.attname = 'org_id' AND a.attnum = confkey[1]))
UNION ALL
SELECT 'a reference to the own organization', relation || '.' || conname FROM foreign_keys WHERE target = 'organizations' AND NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = conrelid AND a.attname = 'org_id' AND conkey = ARRAY[a.attnum])
UNION ALL
SELECT 'a table that belongs to an organization', name FROM tenants t
WHERE name <> 'organizations' AND name NOT IN (SELECT relation FROM detached) AND NOT EXISTS (SELECT FROM foreign_keys k WHERE k.conrelid = t.oid AND k.target IN (SELECT name FROM tenants))
UNION ALL
SELECT 'no row that goes because another goes', conrelid::regclass || '.' || conname FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND (confdeltype <> 'a' OR confupdtype <> 'a')
UNION ALL
SELECT 'an index for each reference', relation || '.' || conname FROM foreign_keys k WHERE NOT EXISTS (
    SELECT FROM pg_index x WHERE x.indrelid = k.conrelid AND x.indisvalid
    AND (SELECT array_agg(x.indkey[i] ORDER BY x.indkey[i]) FROM generate_series(0, cardinality(k.conkey) - 1) i)
        = (SELECT array_agg(c ORDER BY c) FROM unnest(k.conkey) c))
UNION ALL
SELECT 'an owner of everything', name FROM relations WHERE relowner <> 'bulkhead_owner'::regrole
UNION ALL
SELECT 'an owner of everything', signature FROM functions WHERE proowner <> 'bulkhead_owner'::regrole
UNION ALL
SELECT 'nothing for strangers', concat_ws(' ', name, column_name, grantee, privilege) FROM grants
WHERE grantee NOT IN ('bulkhead_app', 'bulkhead_auth', 'bulkhead_dump') OR is_grantable
UNION ALL
SELECT 'what a tenant''s work may do', concat_ws(' ', name, column_name, privilege) FROM grants
WHERE grantee = 'bulkhead_app' AND NOT (privilege IN ('SELECT', 'INSERT')
    OR (privilege = 'UPDATE' AND name NOT IN (SELECT relation FROM growing))
    OR (privilege = 'DELETE' AND name IN (SELECT relation FROM deletions)))
UNION ALL
SELECT 'what authentication may read', concat_ws(' ', name, column_name, privilege) FROM grants g
WHERE grantee = 'bulkhead_auth' AND NOT (privilege = 'SELECT' AND EXISTS (
    SELECT FROM authentication l WHERE l.relation = g.name AND g.column_name = ANY (l.columns)))
UNION ALL
SELECT 'what a backup may do', concat_ws(' ', name, privilege) FROM grants WHERE grantee = 'bulkhead_dump' AND privilege <> 'SELECT'
UNION ALL
SELECT 'a backup that is whole', name FROM relations r
WHERE relkind IN ('r', 'p', 'S') AND NOT relispartition AND NOT has_table_privilege('bulkhead_dump', r.oid, 'SELECT')
UNION ALL
SELECT 'no way past a policy by a part of the table', concat_ws(' ', name, grantee, privilege) FROM grants
WHERE (relispartition OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = to_regclass(quote_ident(name)))) AND grantee <> 'bulkhead_dump'
UNION ALL
SELECT 'no counter that tenants share', concat_ws(' ', name, grantee, privilege) FROM grants WHERE relkind = 'S' AND grantee <> 'bulkhead_dump'
UNION ALL
SELECT 'a view that asks with the rights of who asks', name FROM relations
WHERE relkind = 'm' OR (relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false))
UNION ALL
SELECT 'no rule that rewrites statements', ev_class::regclass || ' ' || rulename FROM pg_rewrite
WHERE rulename <> '_RETURN' AND ev_class IN (SELECT oid FROM relations)
UNION ALL
SELECT 'no function with another''s rights', signature FROM functions WHERE prosecdef AND NOT EXISTS (
    SELECT FROM definers WHERE function = signature)
UNION ALL
SELECT 'a search path that is fixed', signature FROM functions WHERE prosecdef AND NOT coalesce(
    'search_path=pg_catalog, pg_temp' = ANY (proconfig) OR 'search_path=public, pg_temp' = ANY (proconfig)
    OR 'search_path=pg_catalog, public, pg_temp' = ANY (proconfig), false)
UNION ALL
SELECT 'no function for everybody', signature FROM functions p
WHERE p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0)
UNION ALL
SELECT 'no function that claims to leak nothing', signature FROM functions WHERE proleakproof
UNION ALL
SELECT 'no setting that passes for a constant', signature FROM functions
WHERE provolatile = 'i' AND pg_get_functiondef(oid) ~* 'current_setting|app\.(org_id|platform)'
UNION ALL
SELECT 'no schema but ours', nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')
UNION ALL
SELECT 'no extension', extname FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL
SELECT 'nothing of their own for the roles', rolname || ' ' || privilege FROM bound, unnest(ARRAY['CREATE', 'TEMP']) privilege
WHERE has_database_privilege(rolname, current_database(), privilege)
UNION ALL
SELECT 'nothing of their own for the roles', rolname || ' CREATE on public' FROM bound WHERE has_schema_privilege(rolname, 'public', 'CREATE')
UNION ALL
SELECT 'nobody else in the database', coalesce(a.grantee::regrole::text, 'public') || ' ' || a.privilege_type
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
WHERE d.datname = current_database() AND a.grantee <> d.datdba AND a.grantee NOT IN (SELECT oid FROM ours)
UNION ALL
SELECT 'nothing granted in advance', defaclrole::regrole || ' ' || a.grantee::regrole || ' ' || a.privilege_type
FROM pg_default_acl d, aclexplode(d.defaclacl) a
WHERE a.grantee <> d.defaclrole AND NOT (a.grantee = 'bulkhead_dump'::regrole AND a.privilege_type = 'SELECT')
UNION ALL
SELECT 'roles without power', rolname FROM ours
WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR (rolbypassrls AND rolname <> 'bulkhead_dump')
UNION ALL
SELECT 'roles that can become no other', m.member::regrole || ' ' || m.roleid::regrole FROM pg_auth_members m WHERE m.member IN (SELECT oid FROM ours)
UNION ALL
SELECT 'roles whose names mean what we mean', rolname FROM ours
WHERE NOT EXISTS (SELECT FROM settings s WHERE s.role = rolname AND s.setting = 'search_path=public, pg_temp')
UNION ALL
SELECT 'an owner who fails loudly', 'bulkhead_owner'
WHERE NOT EXISTS (SELECT FROM settings WHERE role = 'bulkhead_owner' AND setting = 'row_security=off')
UNION ALL
SELECT 'no objects that belong to no table', rolname || ' ' || p.oid::regprocedure FROM bound, pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(lo_|lo(read|write)$)' AND has_function_privilege(rolname, p.oid, 'EXECUTE')
ORDER BY rule, violation;
