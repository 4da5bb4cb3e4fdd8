-- The outbox: effects that a transaction is to have outside the database. The
-- relay claims rows across tenants with the platform scope; tenants' work only
-- ever appends to its own.

CREATE TABLE outbox (
    org_id       uuid        NOT NULL REFERENCES organizations (id),
    id           uuid        NOT NULL,
    kind         text        NOT NULL,
    payload      jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    last_error   text        NOT NULL DEFAULT '',
    PRIMARY KEY (org_id, id)
);

CREATE INDEX outbox_due_idx ON outbox (available_at, id);
-- The relay names a message by its id alone when it is done with it.
CREATE INDEX outbox_id_idx ON outbox (id);

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON outbox TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY platform_read ON outbox FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY platform_claim ON outbox FOR UPDATE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');
CREATE POLICY platform_done ON outbox FOR DELETE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');

-- A message is never rewritten: only its delivery has a state.
GRANT SELECT, INSERT, DELETE, UPDATE (available_at, attempts, last_error) ON outbox TO bulkhead_app;
GRANT SELECT ON outbox TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE outbox;
