-- Idempotency keys: what a repeated POST must be answered with. A key belongs to
-- the credential that chose it, so that two callers can not meet in one.

CREATE TABLE idempotency_keys (
    org_id      uuid        NOT NULL REFERENCES organizations (id),
    api_key_id  uuid        NOT NULL,
    operation   text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    state       text        NOT NULL CONSTRAINT idempotency_keys_state_check
                            CHECK (state IN ('running', 'done')),
    status      integer,
    response    bytea,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (org_id, api_key_id, operation, key)
);

CREATE INDEX idempotency_keys_expiry_idx ON idempotency_keys (expires_at);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON idempotency_keys TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO bulkhead_app;
GRANT SELECT ON idempotency_keys TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE idempotency_keys;
