-- The ledger of dispatches: each start of a workflow that Bulkhead was asked for, by
-- the request that asked. A row is written in the transaction of the trail's entry,
-- before Temporal is asked, and decided when Temporal has answered: so that a request
-- which is repeated gets the run that it has started, whatever has become of the
-- workflow's id since. A row that stays undecided is of a process that was lost; the
-- worker process asks Temporal what has become of it.
--
-- It refers to the head of the trail, which the same transaction writes, and not to
-- the organization, whose row another one may hold.

CREATE TABLE workflow_dispatches (
    org_id       uuid        NOT NULL REFERENCES audit_heads (org_id),
    request      uuid        NOT NULL, -- by which Temporal knows it, too
    workflow_id  text        NOT NULL,
    type         text        NOT NULL,
    task_queue   text        NOT NULL,
    subject      text        NOT NULL, -- who asked
    requested_at timestamptz NOT NULL,
    outcome      text        NOT NULL CONSTRAINT workflow_dispatches_outcome_check CHECK (outcome IN ('requested', 'started', 'joined', 'refused')),
    run_id       text        NOT NULL DEFAULT '',
    decided_at   timestamptz,
    PRIMARY KEY (org_id, request),
    CONSTRAINT workflow_dispatches_decided_check CHECK ((outcome = 'requested') = (decided_at IS NULL)),
    CONSTRAINT workflow_dispatches_run_check CHECK ((outcome IN ('started', 'joined')) = (run_id <> ''))
) WITH (fillfactor = 80); -- each row is decided once

-- What is undecided, which is little, and what is kept no longer.
CREATE INDEX workflow_dispatches_open_idx ON workflow_dispatches (org_id, request) WHERE outcome = 'requested';
CREATE INDEX workflow_dispatches_decided_idx ON workflow_dispatches (decided_at) WHERE decided_at IS NOT NULL;

ALTER TABLE workflow_dispatches ENABLE ROW LEVEL SECURITY;
ALTER TABLE workflow_dispatches FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON workflow_dispatches TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY platform_open ON workflow_dispatches FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on' AND outcome = 'requested');
CREATE POLICY platform_expired ON workflow_dispatches FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on' AND decided_at < now() - interval '30 days');
CREATE POLICY platform_erase ON workflow_dispatches FOR DELETE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on' AND decided_at < now() - interval '30 days');

CREATE POLICY purge_sees ON workflow_dispatches FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON workflow_dispatches FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- What was asked for never changes, but for the time of a request that is made again.
GRANT SELECT, INSERT, DELETE, UPDATE (requested_at, outcome, run_id, decided_at) ON workflow_dispatches TO bulkhead_app;
GRANT SELECT ON workflow_dispatches TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE workflow_dispatches;
