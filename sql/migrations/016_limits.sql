-- Limits: what was set for an organization, and for a key, stands in its own row, so
-- that the query that authenticates reads it, and that a quota is read under the lock
-- that it is counted under. What is not set is as by default.

ALTER TABLE organizations
    ADD COLUMN limits         jsonb  NOT NULL DEFAULT '{}',
    -- Grows with each change of a limit, apart from the version of all else: whoever
    -- sets limits does not race those who change the organization's name.
    ADD COLUMN limits_version bigint NOT NULL DEFAULT 1;

ALTER TABLE api_keys ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

GRANT SELECT (limits) ON organizations TO bulkhead_auth;
GRANT SELECT (limits) ON api_keys TO bulkhead_auth;

---- create above / drop below ----

ALTER TABLE api_keys DROP COLUMN limits;

ALTER TABLE organizations
    DROP COLUMN limits_version,
    DROP COLUMN limits;
