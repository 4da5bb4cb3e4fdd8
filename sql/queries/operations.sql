-- OperationGet reads one of the organization's operations, for the caller who follows it.
-- name: OperationGet :one
SELECT * FROM operations WHERE org_id = @org_id AND id = @id;

-- OperationList lists the organization's operations by their ids, which grow with time.
-- name: OperationList :many
SELECT * FROM operations WHERE org_id = @org_id AND id > @after ORDER BY id LIMIT @max_rows;

-- OperationOpen reads the operation of some kinds that has not ended; were there more,
-- the one that began last.
-- name: OperationOpen :one
SELECT * FROM operations
WHERE org_id = @org_id AND kind = ANY (@kinds::text[]) AND state IN ('pending', 'running')
ORDER BY created_at DESC, id DESC LIMIT 1;

-- OperationLatest reads the operation of some kinds that began last.
-- name: OperationLatest :one
SELECT * FROM operations
WHERE org_id = @org_id AND kind = ANY (@kinds::text[])
ORDER BY created_at DESC, id DESC LIMIT 1;

-- OperationInsert stores a new operation.
-- name: OperationInsert :exec
INSERT INTO operations (org_id, id, kind, state, step, attempts, failure, failure_code, retry_of, created_at, updated_at, finished_at, note)
VALUES (@org_id, @id, @kind, @state, @step, @attempts, @failure, @failure_code, @retry_of, @created_at, @updated_at, @finished_at, @note);

-- OperationLock reads an operation and holds its row until the transaction ends.
-- name: OperationLock :one
SELECT * FROM operations WHERE org_id = @org_id AND id = @id FOR UPDATE;

-- OperationLockOpen reads the organization's operation of a kind that has not ended,
-- and holds its row until the transaction ends. There is at most one: who begins one
-- holds the organization's row.
-- name: OperationLockOpen :one
SELECT * FROM operations
WHERE org_id = @org_id AND kind = @kind AND state IN ('pending', 'running')
FOR UPDATE;

-- OperationUpdate stores what can change of an operation.
-- name: OperationUpdate :execrows
UPDATE operations
SET state = $3, step = $4, attempts = $5, failure = $6, failure_code = $7, updated_at = $8, finished_at = $9, note = $10
WHERE org_id = $1 AND id = $2;

-- PlatformOperationGet reads any organization's operation, for whoever was given its
-- id and nothing else. Platform scope only.
-- name: PlatformOperationGet :one
SELECT * FROM operations WHERE id = @id;
