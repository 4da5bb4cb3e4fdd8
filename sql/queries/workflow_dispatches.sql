-- DispatchInsert writes that a start was asked for. A request that is made again, of
-- which nothing has come yet, is asked for again; one that has a run keeps it.
-- name: DispatchInsert :exec
INSERT INTO workflow_dispatches AS d (org_id, request, workflow_id, type, task_queue, subject, requested_at, outcome)
VALUES (@org_id, @request, @workflow_id, @type, @task_queue, @subject, @requested_at, 'requested')
ON CONFLICT (org_id, request) DO UPDATE SET requested_at = EXCLUDED.requested_at, outcome = 'requested', decided_at = NULL
WHERE d.outcome IN ('requested', 'refused');

-- DispatchDecide writes what has come of requests that are undecided, and returns those
-- that it has decided. A run that turns up later is worth more than that none was found.
-- name: DispatchDecide :many
UPDATE workflow_dispatches d
SET outcome = n.outcome, run_id = n.run_id, decided_at = n.decided_at
FROM (SELECT unnest(@requests::uuid[]) AS request, unnest(@outcomes::text[]) AS outcome, unnest(@run_ids::text[]) AS run_id,
             unnest(@decided_ats::timestamptz[]) AS decided_at) AS n
WHERE d.org_id = @org_id AND d.request = n.request AND (d.outcome = 'requested' OR (d.outcome = 'refused' AND n.run_id <> ''))
RETURNING d.request;

-- DispatchGet reads what is known of a request.
-- name: DispatchGet :one
SELECT * FROM workflow_dispatches WHERE org_id = @org_id AND request = @request;

-- DispatchOpen lists requests of all organizations that are undecided since before a
-- time, from after the given one. Platform scope only.
-- name: DispatchOpen :many
SELECT * FROM workflow_dispatches
WHERE outcome = 'requested' AND requested_at < @before AND (org_id, request) > (@after_org::uuid, @after_request::uuid)
ORDER BY org_id, request LIMIT @max_rows;

-- DispatchErase forgets requests of all organizations that were decided longer ago than
-- they are kept, which the policy says too. Platform scope only.
-- name: DispatchErase :execrows
DELETE FROM workflow_dispatches d
USING (SELECT e.org_id, e.request FROM workflow_dispatches e
    WHERE e.decided_at < now() - interval '30 days' ORDER BY e.decided_at LIMIT @max_rows) old
WHERE d.org_id = old.org_id AND d.request = old.request AND d.decided_at < now() - interval '30 days';
