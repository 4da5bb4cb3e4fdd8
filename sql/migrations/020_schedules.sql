-- What Bulkhead itself keeps of schedules: that they are there, for the quota, and
-- which of them it has paused, so that it lets exactly those go on. What a schedule
-- is, and whether it exists, is Temporal's to say: a row can be of one that is gone.

CREATE TABLE schedules (
    org_id          uuid        NOT NULL REFERENCES organizations (id),
    schedule_id     text        NOT NULL,
    created_at      timestamptz NOT NULL,
    -- Who has made it by Bulkhead; NULL: it was found at Temporal.
    created_by      text,
    -- The request that has asked for it last: only that one takes the row back when
    -- Temporal refuses to make the schedule.
    request         uuid        NOT NULL,
    -- Each hold is named by the note that the schedule was paused with. The two are apart,
    -- as what a tenant has paused by the dozen can be suspended as well.
    suspension_hold uuid,
    bulk_hold       uuid,
    PRIMARY KEY (org_id, schedule_id)
);

ALTER TABLE schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE schedules FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON schedules TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY purge_sees ON schedules FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON schedules FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- Which schedule it is, and since when, never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (request, suspension_hold, bulk_hold) ON schedules TO bulkhead_app;
GRANT SELECT ON schedules TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE schedules;
