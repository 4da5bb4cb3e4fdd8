-- SigningKeyList lists the keys that are not retired, oldest first. They belong to the
-- platform: there is no organization to name.
-- name: SigningKeyList :many
SELECT * FROM signing_keys WHERE state <> 'retired' ORDER BY created_at, id;

-- SigningKeyLock lets one transaction at a time change keys, anywhere in the
-- deployment. A lock on rows would not do: the first key has no row yet.
-- name: SigningKeyLock :exec
SELECT pg_advisory_xact_lock(@lock_id);

-- SigningKeyUpsert stores a new key, or the life of one there is. What was published
-- of it never changes.
-- name: SigningKeyUpsert :exec
INSERT INTO signing_keys (id, public_der, sealed, sealed_by, state, created_at, changed_at)
VALUES (@id, @public_der, @sealed, @sealed_by, @state, @created_at, @changed_at)
ON CONFLICT (id) DO UPDATE
SET sealed = EXCLUDED.sealed, sealed_by = EXCLUDED.sealed_by, state = EXCLUDED.state, changed_at = EXCLUDED.changed_at;
