-- AuditAppend appends an event to the organization's chain, in the transaction of
-- the change it tells of: it takes the next number and the hash of the head, and
-- holds the head until the transaction ends. The hash is that of core/audit, whose
-- code verifies it: SHA-256 of the hash before, the number in eight bytes, and the
-- body. It is the only write there is: the app role may not alter or delete. It is
-- sent together with the commit, so that it has to fail where it appends nothing: an
-- organization that does not exist has no head, and a row without a number is none.
-- name: AuditAppend :exec
WITH head AS (
    UPDATE audit_heads SET seq = seq + 1, hash = sha256(hash || int8send(seq + 1) || @body::bytea)
    WHERE org_id = @org_id
    RETURNING seq, hash
)
INSERT INTO audit_events (org_id, id, at, actor_kind, actor_org_id, actor_user_id, actor_key_id, actor_name,
                          action, resource_type, resource_id, outcome, changes, count, request_id, source_ip, seq, hash)
SELECT @org_id, @id, @at, @actor_kind, @actor_org_id, @actor_user_id, @actor_key_id, @actor_name,
       @action, @resource_type, @resource_id, @outcome, @changes, @count, @request_id, @source_ip, head.seq, head.hash
FROM (VALUES (1)) AS one (row) LEFT JOIN head ON true;

-- AuditGet reads one entry.
-- name: AuditGet :one
SELECT * FROM audit_events WHERE org_id = @org_id AND id = @id;

-- AuditList lists the entries that the filter chooses, the newest first. It is
-- planned for the values that it is given, so that a filter which is not given
-- costs nothing and one which is finds its index.
-- name: AuditList :many
SELECT * FROM audit_events
WHERE org_id = @org_id AND seq < @before
  AND (sqlc.narg('user_id')::uuid IS NULL OR actor_user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('key_id')::uuid IS NULL OR actor_key_id = sqlc.narg('key_id'))
  AND (@action::text = '' OR action = @action)
  AND (@resource_type::text = '' OR resource_type = @resource_type)
  AND (@resource_id::text = '' OR resource_id = @resource_id)
  AND (@outcome::text = '' OR (outcome = @outcome AND (@outcome = 'succeeded' OR outcome <> 'succeeded')))
  AND (sqlc.narg('from')::timestamptz IS NULL OR at >= sqlc.narg('from'))
  AND (sqlc.narg('to')::timestamptz IS NULL OR at < sqlc.narg('to'))
ORDER BY seq DESC LIMIT @max_rows;

-- PlatformAuditList lists the entries of all organizations as AuditList does those
-- of one. Platform scope only.
-- name: PlatformAuditList :many
SELECT * FROM audit_events
WHERE id < @before
  AND (sqlc.narg('user_id')::uuid IS NULL OR actor_user_id = sqlc.narg('user_id'))
  AND (sqlc.narg('key_id')::uuid IS NULL OR actor_key_id = sqlc.narg('key_id'))
  AND (@action::text = '' OR action = @action)
  AND (@resource_type::text = '' OR resource_type = @resource_type)
  AND (@resource_id::text = '' OR resource_id = @resource_id)
  AND (@outcome::text = '' OR outcome = @outcome)
  AND (sqlc.narg('from')::timestamptz IS NULL OR at >= sqlc.narg('from'))
  AND (sqlc.narg('to')::timestamptz IS NULL OR at < sqlc.narg('to'))
ORDER BY id DESC LIMIT @max_rows;

-- AuditLinks lists the entries of a stretch of the chain in its order.
-- name: AuditLinks :many
SELECT * FROM audit_events WHERE org_id = @org_id AND seq >= @seq AND seq <= @last ORDER BY seq LIMIT @max_rows;

-- AuditHead reads the end of the chain.
-- name: AuditHead :one
SELECT seq, hash FROM audit_heads WHERE org_id = @org_id;

-- AuditLast reads the highest number of an entry, which is the head's or, of a
-- head that is read later, less.
-- name: AuditLast :one
SELECT coalesce(max(seq), 0)::bigint AS seq FROM audit_events WHERE org_id = @org_id;

-- AuditSpan finds the first and the last entry of a time. The entries between are
-- of that time too, but for a few near its ends: an entry gets its number when its
-- transaction ends, and its time when the work begins.
-- name: AuditSpan :one
SELECT coalesce(min(seq), 0)::bigint AS first, coalesce(max(seq), 0)::bigint AS last FROM audit_events
WHERE org_id = @org_id AND seq > 0
  AND (sqlc.narg('from')::timestamptz IS NULL OR at >= sqlc.narg('from'))
  AND (sqlc.narg('to')::timestamptz IS NULL OR at < sqlc.narg('to'));

-- AuditStart reads where the chain begins when what came before was purged.
-- name: AuditStart :one
SELECT seq, hash FROM audit_checkpoints WHERE org_id = @org_id ORDER BY seq DESC LIMIT 1;

-- AuditPurge takes up to so many of the oldest entries, if they are older than the
-- organization keeps them, and returns how many it took. The app role may not do so
-- itself: the function decides.
-- name: AuditPurge :one
SELECT purge_audit(@org_id, @max_rows)::bigint AS purged;
