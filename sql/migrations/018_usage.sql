-- Usage: how much was asked of the API, by organization, key and hour. Processes
-- count in memory and add what they counted every few seconds, for many
-- organizations in one statement; so the platform's scope may read, insert and
-- update here, and delete what is older than it is kept.
--
-- There are no references: a key can be deleted and its usage stays, and one to the
-- organization would have each addition wait for whoever changes that row. What is
-- added is joined with the organizations instead, whose rows are never deleted.

CREATE TABLE usage_hours (
    org_id   uuid        NOT NULL,
    key_id   uuid        NOT NULL,
    hour     timestamptz NOT NULL,
    requests bigint      NOT NULL,
    refused  bigint      NOT NULL,
    limited  bigint      NOT NULL,
    PRIMARY KEY (org_id, hour, key_id)
) WITH (fillfactor = 80);

CREATE INDEX usage_hours_hour_idx ON usage_hours (hour);

ALTER TABLE usage_hours ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_hours FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON usage_hours TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY platform_read ON usage_hours FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY platform_insert ON usage_hours FOR INSERT TO bulkhead_app
    WITH CHECK ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY platform_add ON usage_hours FOR UPDATE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY platform_erase ON usage_hours FOR DELETE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on' AND hour < now() - interval '400 days');

CREATE POLICY purge_sees ON usage_hours FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON usage_hours FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

GRANT SELECT, INSERT, UPDATE, DELETE ON usage_hours TO bulkhead_app;
GRANT SELECT ON usage_hours TO bulkhead_dump;

-- The last batch that each process has added. A process whose commit was not
-- answered sends the batch again, and it is not added twice.
CREATE TABLE usage_writers (
    id         uuid        PRIMARY KEY,
    last_batch bigint      NOT NULL,
    at         timestamptz NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON usage_writers TO bulkhead_app;
GRANT SELECT ON usage_writers TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE usage_writers;
DROP TABLE usage_hours;
