-- OutboxInsert leaves a message of the scope's organization.
-- name: OutboxInsert :exec
INSERT INTO outbox (org_id, id, kind, payload, created_at, available_at, attempts)
VALUES (@org_id, @id, @kind, @payload, @created_at, @available_at, @attempts);

-- OutboxGather leaves a message unless one of its kind waits that no relay has claimed
-- yet. That one is locked, so that it is not delivered before the transaction ends: who
-- acts upon it then sees what the transaction has changed. One that is being claimed is
-- passed over, and stands for nothing any more.
-- name: OutboxGather :exec
WITH waiting AS (
    SELECT o.id FROM outbox o
    WHERE o.org_id = @org_id AND o.kind = @kind AND o.attempts = 0
    FOR UPDATE SKIP LOCKED
)
INSERT INTO outbox (org_id, id, kind, payload, created_at, available_at, attempts)
SELECT @org_id, @id, @kind, @payload, @created_at, @available_at, @attempts
WHERE NOT EXISTS (SELECT FROM waiting);

-- OutboxNotify wakes the relays when the transaction commits, and only if it does.
-- The payload is empty, so that many messages of one transaction are one wake-up.
-- name: OutboxNotify :exec
SELECT pg_notify(@channel::text, '');

-- OutboxClaim takes due messages and hides them until the lease ends. Rows that
-- another claim holds are skipped and not waited for, so that relays share the work.
-- Platform scope only.
-- name: OutboxClaim :many
WITH due AS (
    SELECT d.org_id, d.id, d.available_at FROM outbox d
    WHERE d.available_at <= @now
    ORDER BY d.available_at, d.id
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox o
    SET available_at = @leased_until, attempts = o.attempts + 1
    FROM due
    WHERE o.org_id = due.org_id AND o.id = due.id
    RETURNING o.org_id, o.id, o.kind, o.payload, o.created_at, o.attempts, due.available_at AS due_at
)
SELECT c.org_id, c.id, c.kind, c.payload, c.created_at, c.attempts FROM claimed c ORDER BY c.due_at, c.id;

-- OutboxDelete removes a delivered message. Platform scope only.
-- name: OutboxDelete :exec
DELETE FROM outbox WHERE id = @id;

-- OutboxRetry makes a message due again, and says why. Platform scope only.
-- name: OutboxRetry :exec
UPDATE outbox SET available_at = @available_at, last_error = @last_error WHERE id = @id;
