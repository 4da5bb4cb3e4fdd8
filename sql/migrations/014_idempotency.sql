-- Idempotency keys: who holds a request, and whether its change has happened.
--
-- key is no longer the client's word but a digest of it: the fingerprint is keyed
-- by the word, so that a copy of the database does not help to guess a request.
-- response is sealed with a key of the deployment's configuration. An attempt
-- holds the request by its token until lapses_at; committed_at is written in the
-- transaction of the change itself, which fails when the token is another's.

ALTER TABLE idempotency_keys
    ADD COLUMN token        uuid        NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN lapses_at    timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN committed_at timestamptz,
    ADD COLUMN resource     text        NOT NULL DEFAULT '',
    ADD COLUMN sealed_by    smallint;

-- What has expired is erased whoever it belongs to, and nothing else is seen of it.
CREATE POLICY platform_expired ON idempotency_keys FOR SELECT TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on' AND expires_at <= now());
CREATE POLICY platform_erase ON idempotency_keys FOR DELETE TO bulkhead_app
    USING ((SELECT current_setting('app.platform', true)) = 'on' AND expires_at <= now());

---- create above / drop below ----

DROP POLICY platform_erase ON idempotency_keys;
DROP POLICY platform_expired ON idempotency_keys;

ALTER TABLE idempotency_keys
    DROP COLUMN token,
    DROP COLUMN lapses_at,
    DROP COLUMN committed_at,
    DROP COLUMN resource,
    DROP COLUMN sealed_by;
