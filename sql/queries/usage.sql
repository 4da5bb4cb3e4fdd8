-- UsageAdd adds a batch of what a process has counted, for many organizations, unless
-- it was added before: then the CTE returns no row, and nothing is done. Whoever sends
-- the batch again while its first attempt still runs waits at the writer's row. The
-- hours are reached in the order of their key, so that two of these wait for each
-- other in a line and never in a circle. What belongs to an organization whose purge
-- has begun is left out. Platform scope only.
-- name: UsageAdd :exec
WITH fresh AS (
    INSERT INTO usage_writers AS w (id, last_batch, at) VALUES (@writer, @batch, now())
    ON CONFLICT (id) DO UPDATE SET last_batch = EXCLUDED.last_batch, at = EXCLUDED.at WHERE w.last_batch < EXCLUDED.last_batch
    RETURNING w.id
)
INSERT INTO usage_hours AS h (org_id, key_id, hour, requests, refused, limited)
SELECT n.org_id, n.key_id, n.hour, n.requests, n.refused, n.limited
FROM fresh
CROSS JOIN (SELECT unnest(@org_ids::uuid[]) AS org_id, unnest(@key_ids::uuid[]) AS key_id, unnest(@hours::timestamptz[]) AS hour,
                   unnest(@requests::bigint[]) AS requests, unnest(@refused::bigint[]) AS refused, unnest(@limited::bigint[]) AS limited) AS n
JOIN organizations o ON o.id = n.org_id AND o.state <> 'deleted' AND (o.state <> 'deleting' OR o.delete_after IS NOT NULL)
ORDER BY n.org_id, n.hour, n.key_id
ON CONFLICT (org_id, hour, key_id) DO UPDATE
SET requests = h.requests + EXCLUDED.requests, refused = h.refused + EXCLUDED.refused, limited = h.limited + EXCLUDED.limited;

-- UsageByKey sums the hours that begin within a time by their keys.
-- name: UsageByKey :many
SELECT key_id, sum(requests)::bigint AS requests, sum(refused)::bigint AS refused, sum(limited)::bigint AS limited
FROM usage_hours
WHERE org_id = @org_id AND key_id > @after
  AND (sqlc.narg('from')::timestamptz IS NULL OR hour >= sqlc.narg('from'))
  AND (sqlc.narg('to')::timestamptz IS NULL OR hour < sqlc.narg('to'))
GROUP BY key_id ORDER BY key_id LIMIT @max_rows;

-- UsageByTime sums the hours that begin within a time by the hour, or by the day of UTC
-- that they begin in. It goes on after such a one.
-- name: UsageByTime :many
SELECT (CASE WHEN @daily::boolean THEN date_trunc('day', hour, 'UTC') ELSE hour END)::timestamptz AS start,
       sum(requests)::bigint AS requests, sum(refused)::bigint AS refused, sum(limited)::bigint AS limited
FROM usage_hours
WHERE org_id = @org_id AND hour > @after::timestamptz
  AND (CASE WHEN @daily::boolean THEN date_trunc('day', hour, 'UTC') ELSE hour END) > @after::timestamptz
  AND (sqlc.narg('from')::timestamptz IS NULL OR hour >= sqlc.narg('from'))
  AND (sqlc.narg('to')::timestamptz IS NULL OR hour < sqlc.narg('to'))
GROUP BY start ORDER BY start LIMIT @max_rows;

-- UsageErase removes hours that are older than they are kept, and the writers that
-- have long been silent. Platform scope only.
-- name: UsageErase :execrows
WITH silent AS (DELETE FROM usage_writers w WHERE w.at < now() - interval '400 days')
DELETE FROM usage_hours h
USING (SELECT e.org_id, e.hour, e.key_id FROM usage_hours e
    WHERE e.hour < now() - interval '400 days' ORDER BY e.hour LIMIT @max_rows) old
WHERE h.org_id = old.org_id AND h.hour = old.hour AND h.key_id = old.key_id AND h.hour < now() - interval '400 days';
