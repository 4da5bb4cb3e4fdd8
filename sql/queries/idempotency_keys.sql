-- IdempotencyClaim takes a request: one that is new, that was forgotten, or whose last
-- attempt is over without a change. No row comes back when it is another's or done. The
-- database's clock decides, as that of one of several processes may be wrong.
-- name: IdempotencyClaim :one
INSERT INTO idempotency_keys (org_id, api_key_id, operation, key, fingerprint, state, token, created_at, lapses_at, expires_at)
VALUES (@org_id, @api_key_id, @operation, @key, @fingerprint, 'running', @token, now(),
    now() + make_interval(secs => @lease_seconds), now() + make_interval(secs => @keep_seconds))
ON CONFLICT (org_id, api_key_id, operation, key) DO UPDATE
SET fingerprint = EXCLUDED.fingerprint, state = 'running', token = EXCLUDED.token, lapses_at = EXCLUDED.lapses_at,
    committed_at = NULL, resource = '', status = NULL, response = NULL, sealed_by = NULL,
    created_at = CASE WHEN idempotency_keys.expires_at <= now() THEN EXCLUDED.created_at ELSE idempotency_keys.created_at END,
    expires_at = CASE WHEN idempotency_keys.expires_at <= now() THEN EXCLUDED.expires_at ELSE idempotency_keys.expires_at END
WHERE idempotency_keys.expires_at <= now() OR (idempotency_keys.state = 'running' AND idempotency_keys.committed_at IS NULL
    AND idempotency_keys.lapses_at <= now() AND idempotency_keys.fingerprint = EXCLUDED.fingerprint)
RETURNING created_at, (created_at <> now())::boolean AS repeated;

-- IdempotencyGet reads what is remembered of a request, for the answer to its repetition.
-- name: IdempotencyGet :one
SELECT fingerprint, (committed_at IS NOT NULL)::boolean AS committed, resource, (lapses_at <= now())::boolean AS lapsed,
    status, response, sealed_by
FROM idempotency_keys WHERE org_id = @org_id AND api_key_id = @api_key_id AND operation = @operation AND key = @key;

-- IdempotencyCommit says, in the transaction of a request's change, that it has
-- happened. No row is changed when the request is another attempt's by now.
-- name: IdempotencyCommit :execrows
UPDATE idempotency_keys
SET committed_at = coalesce(committed_at, now()), resource = CASE resource WHEN '' THEN @resource ELSE resource END
WHERE org_id = @org_id AND api_key_id = @api_key_id AND operation = @operation AND key = @key AND token = @token;

-- IdempotencyAnswer stores the answer to the attempt that holds the request.
-- name: IdempotencyAnswer :execrows
UPDATE idempotency_keys
SET state = 'done', status = @status, response = @response, sealed_by = @sealed_by
WHERE org_id = @org_id AND api_key_id = @api_key_id AND operation = @operation AND key = @key AND token = @token;

-- IdempotencyRelease ends an attempt that has no answer to keep.
-- name: IdempotencyRelease :exec
UPDATE idempotency_keys SET lapses_at = now()
WHERE org_id = @org_id AND api_key_id = @api_key_id AND operation = @operation AND key = @key AND token = @token
    AND state = 'running';

-- IdempotencyErase forgets requests whose time is over. Platform scope only.
-- name: IdempotencyErase :execrows
DELETE FROM idempotency_keys k
USING (SELECT e.org_id, e.api_key_id, e.operation, e.key FROM idempotency_keys e
    WHERE e.expires_at <= now() ORDER BY e.expires_at LIMIT @max_rows) old
WHERE k.org_id = old.org_id AND k.api_key_id = old.api_key_id AND k.operation = old.operation AND k.key = old.key
    AND k.expires_at <= now();
