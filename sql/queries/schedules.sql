-- ScheduleClaim stores the row of a schedule that is about to be made, or makes the
-- one that is there this request's. It touches one row when there was none.
-- name: ScheduleClaim :execrows
WITH known AS (
    UPDATE schedules k SET request = @request WHERE k.org_id = @org_id AND k.schedule_id = @schedule_id
    RETURNING k.schedule_id
)
INSERT INTO schedules (org_id, schedule_id, created_at, created_by, request)
SELECT @org_id, @schedule_id, @created_at, sqlc.narg('created_by'), @request
WHERE NOT EXISTS (SELECT FROM known)
ON CONFLICT (org_id, schedule_id) DO NOTHING;

-- ScheduleTakeBack removes the row of a schedule that was not made, unless another
-- request has asked for it since.
-- name: ScheduleTakeBack :execrows
DELETE FROM schedules WHERE org_id = @org_id AND schedule_id = @schedule_id AND request = @request;

-- ScheduleRemove removes the row of a schedule that is gone.
-- name: ScheduleRemove :execrows
DELETE FROM schedules WHERE org_id = @org_id AND schedule_id = @schedule_id;

-- ScheduleLearn stores rows of schedules that were found at Temporal, but those that
-- are there. The ids come in their order, so that two of these wait for each other in
-- a line and never in a circle.
-- name: ScheduleLearn :execrows
INSERT INTO schedules (org_id, schedule_id, created_at, request)
SELECT @org_id, unnest(@schedule_ids::text[]), @created_at, @request
ON CONFLICT (org_id, schedule_id) DO NOTHING;

-- ScheduleKnown returns those of the ids that have a row.
-- name: ScheduleKnown :many
SELECT schedule_id FROM schedules WHERE org_id = @org_id AND schedule_id = ANY (@schedule_ids::text[]);

-- ScheduleList lists rows by their ids, from after the given one: all of them, or
-- those that are held.
-- name: ScheduleList :many
SELECT * FROM schedules
WHERE org_id = @org_id AND schedule_id > @after
  AND (CASE @held::text WHEN 'suspension' THEN suspension_hold IS NOT NULL WHEN 'bulk' THEN bulk_hold IS NOT NULL ELSE true END)
ORDER BY schedule_id LIMIT @max_rows;

-- ScheduleHold gives schedules holds, of which zero is none, but those of a kind that
-- they have, and stores the rows that are not there. The ids come in their order, as
-- for ScheduleLearn.
-- name: ScheduleHold :many
INSERT INTO schedules AS s (org_id, schedule_id, created_at, request, suspension_hold, bulk_hold)
SELECT @org_id, n.schedule_id, @created_at, @request,
       nullif(n.suspension_hold, '00000000-0000-0000-0000-000000000000'), nullif(n.bulk_hold, '00000000-0000-0000-0000-000000000000')
FROM (SELECT unnest(@schedule_ids::text[]) AS schedule_id, unnest(@suspension_holds::uuid[]) AS suspension_hold,
             unnest(@bulk_holds::uuid[]) AS bulk_hold) AS n
ORDER BY n.schedule_id
ON CONFLICT (org_id, schedule_id) DO UPDATE
SET suspension_hold = coalesce(s.suspension_hold, EXCLUDED.suspension_hold), bulk_hold = coalesce(s.bulk_hold, EXCLUDED.bulk_hold)
RETURNING s.*;

-- ScheduleUnhold ends a hold, of whichever kind it is.
-- name: ScheduleUnhold :execrows
UPDATE schedules SET suspension_hold = nullif(suspension_hold, @hold::uuid), bulk_hold = nullif(bulk_hold, @hold::uuid)
WHERE org_id = @org_id AND schedule_id = @schedule_id AND (suspension_hold = @hold::uuid OR bulk_hold = @hold::uuid);
