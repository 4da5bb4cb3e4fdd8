-- UserGet reads a user, removed ones too: the trail and old keys name them. As in
-- every tenant's query the organization stands in the predicate although row-level
-- security asks for it as well: either would be enough alone.
-- name: UserGet :one
SELECT sqlc.embed(u), r.name AS role_name, r.permissions AS role_permissions
FROM users u LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE u.org_id = @org_id AND u.id = @id;

-- UserList lists users by their ids, which grow with time. An empty filter is none,
-- except that removed users have to be asked for. What an address begins with is
-- compared as text, since a pattern would need its wildcards escaped.
-- name: UserList :many
SELECT sqlc.embed(u), r.name AS role_name, r.permissions AS role_permissions
FROM users u LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE u.org_id = @org_id AND u.id > @after
  AND (CASE @state::text WHEN '' THEN u.state <> 'removed' ELSE u.state = @state::text END)
  AND (@kind::text = '' OR u.kind = @kind::text)
  AND (@role::text = '' OR u.role = @role::text OR r.name = @role::text)
  AND (@email_prefix::text = '' OR starts_with(u.email, @email_prefix::text))
ORDER BY u.id LIMIT @max_rows;

-- UserInsert stores a new user.
-- name: UserInsert :exec
INSERT INTO users (org_id, id, kind, email, name, role, role_id, state, state_reason, version, created_at, updated_at)
VALUES (@org_id, @id, @kind, @email, @name, @role, @role_id, @state, @state_reason, @version, @created_at, @updated_at);

-- UserInsertAll stores users in one statement, but those whose address is taken, and
-- returns whom it stored. An empty address is none.
-- name: UserInsertAll :many
INSERT INTO users (org_id, id, kind, email, name, role, role_id, state, version, created_at, updated_at)
SELECT @org_id, n.id, n.kind, nullif(n.email, ''), n.name, n.role, nullif(n.role_id, '00000000-0000-0000-0000-000000000000'::uuid),
       'active', 1, @created_at, @created_at
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@kinds::text[]) AS kind, unnest(@emails::text[]) AS email, unnest(@names::text[]) AS name,
             unnest(@roles::text[]) AS role, unnest(@role_ids::uuid[]) AS role_id) AS n
ON CONFLICT (org_id, email) WHERE state <> 'removed' DO NOTHING
RETURNING id;

-- UserLock reads a user and holds the row until the transaction ends, so that what
-- is decided by the user's state is still true at the commit. It joins no role: a
-- query that waits for a lock sees the rows beside the locked one as they were.
-- name: UserLock :one
SELECT * FROM users WHERE org_id = @org_id AND id = @id FOR UPDATE;

-- UserLockAll reads users and holds their rows, in the order of their ids, so that
-- two transactions meet at the first one they share.
-- name: UserLockAll :many
SELECT * FROM users WHERE org_id = @org_id AND id = ANY (@ids::uuid[]) ORDER BY id FOR UPDATE;

-- UserCountActive counts the active users who have a built-in role.
-- name: UserCountActive :one
SELECT count(*) FROM users WHERE org_id = @org_id AND role = @role AND state = 'active';

-- UserUpdateAll stores what can change of users, in one statement.
-- name: UserUpdateAll :execrows
UPDATE users u
SET name = n.name, role = n.role, role_id = nullif(n.role_id, '00000000-0000-0000-0000-000000000000'::uuid), state = n.state,
    state_reason = n.state_reason, version = n.version, updated_at = n.updated_at
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@names::text[]) AS name, unnest(@roles::text[]) AS role, unnest(@role_ids::uuid[]) AS role_id,
             unnest(@states::text[]) AS state, unnest(@state_reasons::text[]) AS state_reason, unnest(@versions::bigint[]) AS version,
             unnest(@updated_ats::timestamptz[]) AS updated_at) AS n
WHERE u.org_id = @org_id AND u.id = n.id;
