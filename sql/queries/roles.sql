-- RoleGet reads a custom role.
-- name: RoleGet :one
SELECT * FROM roles WHERE org_id = @org_id AND id = @id;

-- RoleGetByName reads a custom role by its name.
-- name: RoleGetByName :one
SELECT * FROM roles WHERE org_id = @org_id AND name = @name;

-- RoleNamed returns those of the names that a role has.
-- name: RoleNamed :many
SELECT name FROM roles WHERE org_id = @org_id AND name = ANY (@names::text[]);

-- RoleList lists the custom roles by their ids, which grow with time.
-- name: RoleList :many
SELECT * FROM roles WHERE org_id = @org_id AND id > @after ORDER BY id LIMIT @max_rows;

-- RoleInsert stores a new role.
-- name: RoleInsert :exec
INSERT INTO roles (org_id, id, name, description, permissions, version, created_at, updated_at)
VALUES (@org_id, @id, @name, @description, @permissions, @version, @created_at, @updated_at);

-- RoleLock reads a role and holds its row until the transaction ends: nobody is
-- given it meanwhile.
-- name: RoleLock :one
SELECT * FROM roles WHERE org_id = @org_id AND id = @id FOR UPDATE;

-- RoleUpdate stores what can change of a role.
-- name: RoleUpdate :execrows
UPDATE roles
SET name = $3, description = $4, permissions = $5, version = $6, updated_at = $7
WHERE org_id = $1 AND id = $2;

-- RoleRelease takes a role from users who were removed: what they were is told by
-- the trail, and they keep no role alive.
-- name: RoleRelease :exec
UPDATE users
SET role = 'viewer', role_id = NULL
WHERE org_id = @org_id AND role_id = @id AND state = 'removed';

-- RoleDelete deletes a role. The reference of a user who has it refuses that.
-- name: RoleDelete :execrows
DELETE FROM roles WHERE org_id = @org_id AND id = @id;
