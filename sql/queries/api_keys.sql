-- APIKeyGet reads a key, revoked ones too: they stay visible to whoever revoked them.
-- When its secrets were last used stands in rows of their own.
-- name: APIKeyGet :one
SELECT sqlc.embed(k), u.last_used_at, old.last_used_at AS old_last_used_at
FROM api_keys k
LEFT JOIN api_key_uses u ON u.org_id = k.org_id AND u.key_id = k.id AND u.generation = k.generation
LEFT JOIN api_key_uses old ON old.org_id = k.org_id AND old.key_id = k.id AND old.generation = k.generation - 1
WHERE k.org_id = @org_id AND k.id = @id;

-- APIKeyList lists the keys by their ids, which grow with time: all of them, or those
-- of a user, in a state, or about to expire.
-- name: APIKeyList :many
SELECT sqlc.embed(k), u.last_used_at, old.last_used_at AS old_last_used_at
FROM api_keys k
LEFT JOIN api_key_uses u ON u.org_id = k.org_id AND u.key_id = k.id AND u.generation = k.generation
LEFT JOIN api_key_uses old ON old.org_id = k.org_id AND old.key_id = k.id AND old.generation = k.generation - 1
WHERE k.org_id = @org_id AND k.id > @after
  AND (sqlc.narg(user_id)::uuid IS NULL OR k.user_id = sqlc.narg(user_id))
  AND (sqlc.narg(state)::text IS NULL OR k.state = sqlc.narg(state))
  AND (sqlc.narg(expires_after)::timestamptz IS NULL
       OR (k.state <> 'revoked' AND k.expires_at > sqlc.narg(expires_after) AND k.expires_at <= sqlc.narg(expires_until)::timestamptz))
ORDER BY k.id LIMIT @max_rows;

-- APIKeyInsert stores a new key.
-- name: APIKeyInsert :exec
INSERT INTO api_keys (org_id, id, user_id, name, description, scopes, allowed_ips, metadata, hint, last_four,
                      pepper_version, hash, generation, old_hint, old_last_four, old_pepper_version, old_hash,
                      old_expires_at, old_until_seen, limits, state, expires_at, warn_at, revoked_at, version, created_at, updated_at)
VALUES (@org_id, @id, @user_id, @name, @description, @scopes, @allowed_ips, @metadata, @hint, @last_four,
        @pepper_version, @hash, @generation, @old_hint, @old_last_four, @old_pepper_version, @old_hash,
        @old_expires_at, @old_until_seen, @limits, @state, @expires_at, @warn_at, @revoked_at, @version, @created_at, @updated_at);

-- APIKeyLock reads a key and holds its row until the transaction ends.
-- name: APIKeyLock :one
SELECT sqlc.embed(k), u.last_used_at, old.last_used_at AS old_last_used_at
FROM api_keys k
LEFT JOIN api_key_uses u ON u.org_id = k.org_id AND u.key_id = k.id AND u.generation = k.generation
LEFT JOIN api_key_uses old ON old.org_id = k.org_id AND old.key_id = k.id AND old.generation = k.generation - 1
WHERE k.org_id = @org_id AND k.id = @id FOR UPDATE OF k;

-- APIKeyUpdate stores what can change of a key. Its owner can not.
-- name: APIKeyUpdate :execrows
UPDATE api_keys
SET name = @name, description = @description, scopes = @scopes, allowed_ips = @allowed_ips, metadata = @metadata,
    hint = @hint, last_four = @last_four, pepper_version = @pepper_version, hash = @hash, generation = @generation,
    old_hint = @old_hint, old_last_four = @old_last_four, old_pepper_version = @old_pepper_version, old_hash = @old_hash,
    old_expires_at = @old_expires_at, old_until_seen = @old_until_seen, limits = @limits,
    state = @state, expires_at = @expires_at, warn_at = @warn_at, revoked_at = @revoked_at, version = @version, updated_at = @updated_at
WHERE org_id = @org_id AND id = @id;

-- APIKeyDelete removes a key. Its uses go first.
-- name: APIKeyDelete :execrows
DELETE FROM api_keys WHERE org_id = @org_id AND id = @id;

-- APIKeyRehash stores another hash of the same secret, unless the key has got another
-- secret meanwhile.
-- name: APIKeyRehash :exec
UPDATE api_keys
SET pepper_version = CASE WHEN pepper_version = @pepper_version AND hash = @hash THEN @new_version ELSE pepper_version END,
    hash = CASE WHEN pepper_version = @pepper_version AND hash = @hash THEN @new_hash ELSE hash END,
    old_pepper_version = CASE WHEN old_pepper_version = @pepper_version AND old_hash = @hash THEN @new_version ELSE old_pepper_version END,
    old_hash = CASE WHEN old_pepper_version = @pepper_version AND old_hash = @hash THEN @new_hash ELSE old_hash END
WHERE org_id = @org_id AND id = @id
  AND ((pepper_version = @pepper_version AND hash = @hash) OR (old_pepper_version = @pepper_version AND old_hash = @hash));

-- APIKeyUseInsert makes the row in which the uses of a key's new secret are noted.
-- name: APIKeyUseInsert :exec
INSERT INTO api_key_uses (org_id, key_id, generation, last_used_at) VALUES (@org_id, @key_id, @generation, @last_used_at);

-- APIKeyUseForget removes the rows of the secrets before a generation, or of all.
-- name: APIKeyUseForget :exec
DELETE FROM api_key_uses WHERE org_id = @org_id AND key_id = @key_id AND generation < @before;

-- APIKeyUseRecord notes when secrets were last used, of many organizations in one
-- statement. It locks the rows in the order of their keys, so that two of them wait
-- for each other in a line and never in a circle; it inserts nothing, so that no key's
-- own row is locked; and a time never goes back. Platform scope only.
-- name: APIKeyUseRecord :exec
WITH said AS (
    SELECT unnest(@org_ids::uuid[]) AS org_id, unnest(@key_ids::uuid[]) AS key_id,
           unnest(@generations::integer[]) AS generation, unnest(@times::timestamptz[]) AS at
), seen AS (
    SELECT said.org_id, said.key_id, said.generation, max(said.at)::timestamptz AS at FROM said
    GROUP BY said.org_id, said.key_id, said.generation
), held AS (
    SELECT u.org_id, u.key_id, u.generation, seen.at
    FROM api_key_uses u JOIN seen ON u.org_id = seen.org_id AND u.key_id = seen.key_id AND u.generation = seen.generation
    ORDER BY u.org_id, u.key_id, u.generation
    FOR NO KEY UPDATE OF u
)
UPDATE api_key_uses u
SET last_used_at = greatest(u.last_used_at, held.at)
FROM held
WHERE u.org_id = held.org_id AND u.key_id = held.key_id AND u.generation = held.generation;

-- CredentialFind reads all that authentication needs to know of a presented key. It
-- runs as the authentication role, which may see these columns and no others. A
-- candidate is the hash under one of the peppers in use; a key is found by its secret or
-- by its old one, each by an index. All that wait are asked for in one round trip, and
-- each by a statement of its own: one with arrays of candidates is planned anew each
-- time, which takes four times as long as to run it.
-- name: CredentialFind :batchone
SELECT k.org_id, k.id, k.user_id, k.scopes, k.state, k.expires_at, k.allowed_ips,
       (CASE WHEN match.is_old THEN k.old_pepper_version ELSE k.pepper_version END)::smallint AS pepper_version,
       (CASE WHEN match.is_old THEN k.old_hash ELSE k.hash END)::bytea AS hash,
       (CASE WHEN match.is_old THEN k.generation - 1 ELSE k.generation END)::integer AS generation,
       match.is_old::boolean AS is_old, k.old_expires_at, k.old_until_seen, (k.old_hash IS NOT NULL)::boolean AS is_rotating, k.limits,
       o.slug AS org_slug, o.state AS org_state, o.limits AS org_limits,
       u.role AS user_role, u.state AS user_state,
       r.id AS role_id, r.name AS role_name, r.permissions AS role_permissions
FROM api_keys k
CROSS JOIN LATERAL (SELECT (k.pepper_version <> @version OR k.hash <> @hash) AS is_old) AS match
JOIN organizations o ON o.id = k.org_id
LEFT JOIN users u ON u.org_id = k.org_id AND u.id = k.user_id
LEFT JOIN roles r ON r.org_id = u.org_id AND r.id = u.role_id
WHERE (k.pepper_version = @version AND k.hash = @hash) OR (k.old_pepper_version = @version AND k.old_hash = @hash);

-- CredentialChanges tells what CredentialFind reads and has become visible since an
-- earlier snapshot: single keys, those of users who changed, and organizations as a
-- whole. Its first row is there always, and says which snapshot this one is, for the
-- next time. What that earlier snapshot saw is left out, whichever transaction wrote
-- it; what was in progress then is not, however long it takes to commit. A snapshot of
-- another server, or of a later time, says nothing about this one: is_lost. It runs as
-- the authentication role.
-- name: CredentialChanges :many
SELECT moment.position::text AS position, moment.server::timestamptz AS server,
       (moment.since IS NULL OR moment.server <> @server::timestamptz
        OR pg_snapshot_xmin(moment.position) < pg_snapshot_xmin(moment.since)
        OR pg_snapshot_xmax(moment.position) < pg_snapshot_xmax(moment.since))::boolean AS is_lost,
       coalesce(change.org_id, '00000000-0000-0000-0000-000000000000')::uuid AS org_id,
       coalesce(change.key_id, '00000000-0000-0000-0000-000000000000')::uuid AS key_id
FROM (SELECT pg_current_snapshot() AS position, pg_postmaster_start_time() AS server,
             nullif(@since::text, '')::pg_snapshot AS since) AS moment
LEFT JOIN LATERAL (
    SELECT k.org_id, k.id AS key_id FROM api_keys k
    WHERE k.touched >= pg_snapshot_xmin(moment.since) AND k.touched < pg_snapshot_xmax(moment.position)
      AND NOT pg_visible_in_snapshot(k.touched, moment.since)
    UNION ALL
    SELECT k.org_id, k.id FROM users u JOIN api_keys k ON k.org_id = u.org_id AND k.user_id = u.id
    WHERE u.touched >= pg_snapshot_xmin(moment.since) AND u.touched < pg_snapshot_xmax(moment.position)
      AND NOT pg_visible_in_snapshot(u.touched, moment.since)
    UNION ALL
    SELECT o.id, NULL FROM organizations o
    WHERE o.touched >= pg_snapshot_xmin(moment.since) AND o.touched < pg_snapshot_xmax(moment.position)
      AND NOT pg_visible_in_snapshot(o.touched, moment.since)
    UNION ALL
    SELECT r.org_id, NULL FROM roles r
    WHERE r.touched >= pg_snapshot_xmin(moment.since) AND r.touched < pg_snapshot_xmax(moment.position)
      AND NOT pg_visible_in_snapshot(r.touched, moment.since)
) AS change ON true
LIMIT @max_rows;

-- KeyCensusPeppers counts the secrets that could still be used by the version of their
-- pepper. It runs as the authentication role.
-- name: KeyCensusPeppers :many
SELECT s.version, count(*) AS secrets FROM (
    SELECT c.pepper_version AS version FROM api_keys c WHERE c.state <> 'revoked' AND (c.expires_at IS NULL OR c.expires_at > @now::timestamptz)
    UNION ALL
    SELECT p.old_pepper_version AS version FROM api_keys p
    WHERE p.old_hash IS NOT NULL AND p.state <> 'revoked' AND (p.expires_at IS NULL OR p.expires_at > @now::timestamptz)
      AND (p.old_expires_at IS NULL OR p.old_expires_at > @now::timestamptz)
) AS s GROUP BY s.version ORDER BY s.version;

-- KeyCensusDue lists the keys whose expiry is to be warned of, the most urgent first. It
-- runs as the authentication role, which sees no more of them than this.
-- name: KeyCensusDue :many
SELECT org_id, id FROM api_keys
WHERE warn_at <= @now::timestamptz AND state = 'active'
ORDER BY warn_at, org_id, id LIMIT @max_rows;
