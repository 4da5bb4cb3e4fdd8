-- Users: people and service accounts, each in exactly one organization.

CREATE TABLE users (
    org_id     uuid        NOT NULL REFERENCES organizations (id),
    id         uuid        NOT NULL,
    email      text        NOT NULL,
    name       text        NOT NULL,
    role       text        NOT NULL CONSTRAINT users_role_check
                           CHECK (role IN ('operator', 'admin', 'manager', 'member', 'viewer')),
    state      text        NOT NULL CONSTRAINT users_state_check
                           CHECK (state IN ('active', 'suspended', 'removed')),
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id)
);

-- An address is free again when its user was removed.
CREATE UNIQUE INDEX users_email_key ON users (org_id, email) WHERE state <> 'removed';

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON users TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY authentication ON users FOR SELECT TO bulkhead_auth USING (true);

GRANT SELECT, INSERT, UPDATE ON users TO bulkhead_app;
GRANT SELECT (org_id, id, role, state) ON users TO bulkhead_auth;
GRANT SELECT ON users TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE users;
