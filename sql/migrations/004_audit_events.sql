-- The audit trail: written in the transaction of the change, never altered. The
-- app role has no UPDATE and no DELETE. The actor is stored by value, without
-- foreign keys: an operator is a user of another organization, and a trail
-- outlives those who left it.

CREATE TABLE audit_events (
    org_id        uuid        NOT NULL REFERENCES organizations (id),
    id            uuid        NOT NULL,
    at            timestamptz NOT NULL,
    actor_kind    text        NOT NULL,
    actor_org_id  uuid,
    actor_user_id uuid,
    actor_key_id  uuid,
    actor_name    text        NOT NULL DEFAULT '',
    action        text        NOT NULL,
    resource_type text        NOT NULL,
    resource_id   text        NOT NULL,
    outcome       text        NOT NULL CONSTRAINT audit_events_outcome_check
                              CHECK (outcome IN ('succeeded', 'refused', 'failed')),
    changes       jsonb       NOT NULL DEFAULT '{}',
    request_id    text        NOT NULL DEFAULT '',
    source_ip     inet,
    PRIMARY KEY (org_id, id)
);

ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON audit_events TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

GRANT SELECT, INSERT ON audit_events TO bulkhead_app;
GRANT SELECT ON audit_events TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE audit_events;
