-- NamespacePassClaim takes a turn of the pass over all namespaces: that is so when a
-- row comes back. The first one ever makes the row.
-- name: NamespacePassClaim :one
INSERT INTO namespace_passes AS p (turn, leased_until, due_at) VALUES (@turn, @leased_until, @now)
ON CONFLICT (singleton) DO UPDATE SET turn = EXCLUDED.turn, leased_until = EXCLUDED.leased_until
WHERE p.due_at <= EXCLUDED.due_at AND p.leased_until <= EXCLUDED.due_at
RETURNING *;

-- NamespacePassGet reads how far the pass over all namespaces is.
-- name: NamespacePassGet :one
SELECT * FROM namespace_passes;

-- NamespacePassSave stores how far it has come, and ends the turn.
-- name: NamespacePassSave :execrows
UPDATE namespace_passes
SET leased_until = 'epoch', due_at = @due_at, cursor = @cursor, drifted = @drifted, missing = @missing, orphaned = @orphaned,
    ended_at = @ended_at, last_drifted = @last_drifted, last_missing = @last_missing, last_orphaned = @last_orphaned
WHERE turn = @turn;
