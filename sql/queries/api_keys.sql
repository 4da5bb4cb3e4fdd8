-- APIKeyGet reads a key, revoked ones too: they stay visible to whoever revoked them.
-- name: APIKeyGet :one
SELECT * FROM api_keys WHERE org_id = @org_id AND id = @id;

-- APIKeyList lists all keys by their ids, which grow with time.
-- name: APIKeyList :many
SELECT * FROM api_keys WHERE org_id = @org_id AND id > @after ORDER BY id LIMIT @max_rows;

-- APIKeyInsert stores a new key.
-- name: APIKeyInsert :exec
INSERT INTO api_keys (org_id, id, user_id, name, scopes, hint, last_four, pepper_version, hash,
                      state, expires_at, revoked_at, version, created_at, updated_at)
VALUES (@org_id, @id, @user_id, @name, @scopes, @hint, @last_four, @pepper_version, @hash,
        @state, @expires_at, @revoked_at, @version, @created_at, @updated_at);

-- APIKeyLock reads a key and holds its row until the transaction ends.
-- name: APIKeyLock :one
SELECT * FROM api_keys WHERE org_id = @org_id AND id = @id FOR UPDATE;

-- APIKeyUpdate stores what can change of a key. Its hash, owner and scopes can not.
-- name: APIKeyUpdate :execrows
UPDATE api_keys
SET name = $3, state = $4, expires_at = $5, revoked_at = $6, version = $7, updated_at = $8
WHERE org_id = $1 AND id = $2;

-- CredentialFind reads all that authentication needs to know of a presented key, in
-- one round trip. It runs as the authentication role, which may see these columns
-- and no others. The candidates are one hash for each pepper in use; their two
-- arrays are read side by side.
-- name: CredentialFind :many
SELECT k.org_id, k.id, k.user_id, k.scopes, k.pepper_version, k.hash, k.state, k.expires_at,
       o.slug AS org_slug, o.state AS org_state,
       u.role AS user_role, u.state AS user_state,
       r.id AS role_id, r.name AS role_name, r.permissions AS role_permissions
FROM (SELECT unnest(@versions::smallint[]) AS version, unnest(@hashes::bytea[]) AS hash) AS candidate
JOIN api_keys k ON k.pepper_version = candidate.version AND k.hash = candidate.hash
JOIN organizations o ON o.id = k.org_id
LEFT JOIN users u ON u.org_id = k.org_id AND u.id = k.user_id
LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id;
