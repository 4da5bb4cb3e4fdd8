-- Organizations: the tenants. The row's own id is the tenancy, so the policy
-- compares id where every other table has org_id.
--
-- slug and namespace are unique across tenants by necessity: they are names that
-- the whole deployment shares. The API answers a taken slug to operators only.

CREATE TABLE organizations (
    id           uuid        PRIMARY KEY,
    slug         text        NOT NULL CONSTRAINT organizations_slug_key UNIQUE,
    name         text        NOT NULL,
    state        text        NOT NULL CONSTRAINT organizations_state_check
                             CHECK (state IN ('provisioning', 'failed', 'active', 'suspended', 'deleting', 'deleted')),
    state_reason text        NOT NULL DEFAULT '',
    namespace    text        NOT NULL CONSTRAINT organizations_namespace_key UNIQUE,
    version      bigint      NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON organizations TO bulkhead_app
    USING      (id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))
    WITH CHECK (id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));

-- Operators list organizations, and Bulkhead's own parts look for work in all of
-- them. Reading across tenants takes a scope of its own, never a forgotten one.
CREATE POLICY platform ON organizations FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on');

CREATE POLICY authentication ON organizations FOR SELECT TO bulkhead_auth USING (true);

GRANT SELECT, INSERT, UPDATE ON organizations TO bulkhead_app;
GRANT SELECT (id, slug, state) ON organizations TO bulkhead_auth;
GRANT SELECT ON organizations TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE organizations;
