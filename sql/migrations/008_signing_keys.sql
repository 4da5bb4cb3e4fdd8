-- Signing keys of the data-plane tokens. They belong to the platform, not to a
-- tenant, so there is no org_id. The private part is sealed with a key of the
-- deployment's configuration and erased when the key retires.

CREATE TABLE signing_keys (
    id         text        PRIMARY KEY,
    public_der bytea       NOT NULL,
    sealed     bytea,
    sealed_by  smallint    NOT NULL,
    state      text        NOT NULL CONSTRAINT signing_keys_state_check
                           CHECK (state IN ('published', 'active', 'retiring', 'retired')),
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT signing_keys_erased_check CHECK ((state = 'retired') = (sealed IS NULL))
);

-- There is at most one key that signs, whatever races.
CREATE UNIQUE INDEX signing_keys_active_key ON signing_keys (state) WHERE state = 'active';

GRANT SELECT, INSERT, UPDATE ON signing_keys TO bulkhead_app;
GRANT SELECT ON signing_keys TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE signing_keys;
