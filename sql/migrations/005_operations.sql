-- Operations: the visible side of long work.

CREATE TABLE operations (
    org_id      uuid        NOT NULL REFERENCES organizations (id),
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    state       text        NOT NULL CONSTRAINT operations_state_check
                            CHECK (state IN ('pending', 'running', 'succeeded', 'failed')),
    step        text        NOT NULL DEFAULT '',
    attempts    integer     NOT NULL DEFAULT 0,
    failure     text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (org_id, id)
);

-- The platform looks an operation up by its id alone.
CREATE INDEX operations_id_idx ON operations (id);

ALTER TABLE operations ENABLE ROW LEVEL SECURITY;
ALTER TABLE operations FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON operations TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY platform ON operations FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');

GRANT SELECT, INSERT, UPDATE ON operations TO bulkhead_app;
GRANT SELECT ON operations TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE operations;
