-- UserGet reads a user, removed ones too: the trail and old keys name them. As in
-- every tenant's query the organization stands in the predicate although row-level
-- security asks for it as well: either would be enough alone.
-- name: UserGet :one
SELECT sqlc.embed(u), r.name AS role_name, r.permissions AS role_permissions
FROM users u LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE u.org_id = @org_id AND u.id = @id;

-- UserList lists the present users by their ids, which grow with time.
-- name: UserList :many
SELECT sqlc.embed(u), r.name AS role_name, r.permissions AS role_permissions
FROM users u LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE u.org_id = @org_id AND u.id > @after AND u.state <> 'removed'
ORDER BY u.id LIMIT @max_rows;

-- UserInsert stores a new user.
-- name: UserInsert :exec
INSERT INTO users (org_id, id, email, name, role, role_id, state, version, created_at, updated_at)
VALUES (@org_id, @id, @email, @name, @role, @role_id, @state, @version, @created_at, @updated_at);

-- UserLock reads a user and holds the row until the transaction ends, so that what
-- is decided by the user's state is still true at the commit. It joins no role: a
-- query that waits for a lock sees the rows beside the locked one as they were.
-- name: UserLock :one
SELECT * FROM users WHERE org_id = @org_id AND id = @id FOR UPDATE;
