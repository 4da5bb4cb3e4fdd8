-- Custom roles: sets of permissions that an organization names itself. A user has
-- a built-in role, or one of these by its id.

CREATE TABLE roles (
    org_id      uuid        NOT NULL REFERENCES organizations (id),
    id          uuid        NOT NULL,
    name        text        NOT NULL
                            CONSTRAINT roles_name_check CHECK (name NOT IN ('operator', 'admin', 'manager', 'member', 'viewer')),
    description text        NOT NULL DEFAULT '',
    permissions text[]      NOT NULL CONSTRAINT roles_permissions_check CHECK (cardinality(permissions) > 0),
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT roles_name_key UNIQUE (org_id, name)
);

ALTER TABLE roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE roles FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON roles TO bulkhead_app
    USING      (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

CREATE POLICY authentication ON roles FOR SELECT TO bulkhead_auth USING (true);

CREATE POLICY purge_sees ON roles FOR SELECT TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY purge ON roles FOR DELETE TO bulkhead_owner
    USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- Which organization a role belongs to, and since when, never changes.
GRANT SELECT, INSERT, DELETE, UPDATE (name, description, permissions, version, updated_at) ON roles TO bulkhead_app;
GRANT SELECT (org_id, id, name, permissions) ON roles TO bulkhead_auth;
GRANT SELECT ON roles TO bulkhead_dump;

-- The reference is what keeps a role that somebody has from being deleted,
-- whatever races: giving it and deleting it meet in the lock of its row. The check
-- of the rows there are must see them.
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
ALTER TABLE roles NO FORCE ROW LEVEL SECURITY;

ALTER TABLE users
    ADD COLUMN role_id uuid,
    ADD CONSTRAINT users_role_fkey FOREIGN KEY (org_id, role_id) REFERENCES roles (org_id, id),
    DROP CONSTRAINT users_role_check,
    ADD CONSTRAINT users_role_check CHECK (role IN ('operator', 'admin', 'manager', 'member', 'viewer', 'custom')),
    ADD CONSTRAINT users_custom_role_check CHECK ((role = 'custom') = (role_id IS NOT NULL));

ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE roles FORCE ROW LEVEL SECURITY;

CREATE INDEX users_role_idx ON users (org_id, role_id) WHERE role_id IS NOT NULL;

GRANT SELECT (role_id) ON users TO bulkhead_auth;

---- create above / drop below ----

-- The release before knows no custom role, and nobody may gain power by going back
-- to it: whoever has one becomes a viewer, and is suspended as well when their
-- role lacks something that a viewer may do.
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
ALTER TABLE roles NO FORCE ROW LEVEL SECURITY;

UPDATE users u
SET role = 'viewer', role_id = NULL, version = u.version + 1,
    state = CASE WHEN u.state = 'active' AND NOT r.permissions @> ARRAY['organizations:read', 'users:read', 'roles:read',
                     'workflows:read', 'operations:read', 'tokens:read'] THEN 'suspended' ELSE u.state END
FROM roles r WHERE r.org_id = u.org_id AND r.id = u.role_id;

ALTER TABLE users FORCE ROW LEVEL SECURITY;

DROP INDEX users_role_idx;
ALTER TABLE users
    DROP CONSTRAINT users_custom_role_check,
    DROP CONSTRAINT users_role_check,
    ADD CONSTRAINT users_role_check CHECK (role IN ('operator', 'admin', 'manager', 'member', 'viewer')),
    DROP CONSTRAINT users_role_fkey,
    DROP COLUMN role_id;

DROP TABLE roles;
