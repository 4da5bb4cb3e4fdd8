-- How far the pass over all namespaces is. Worker processes take turns with it, a page
-- at a time, so that it costs Temporal the same however many of them there are. There
-- is one row, and it is no tenant's.

CREATE TABLE namespace_passes (
    singleton     boolean     PRIMARY KEY DEFAULT true CONSTRAINT namespace_passes_singleton_check CHECK (singleton),
    turn          uuid        NOT NULL,
    leased_until  timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    cursor        text        NOT NULL DEFAULT '',
    drifted       bigint      NOT NULL DEFAULT 0,
    missing       bigint      NOT NULL DEFAULT 0,
    orphaned      bigint      NOT NULL DEFAULT 0,
    -- What the last whole pass has counted.
    ended_at      timestamptz,
    last_drifted  bigint      NOT NULL DEFAULT 0,
    last_missing  bigint      NOT NULL DEFAULT 0,
    last_orphaned bigint      NOT NULL DEFAULT 0
);

GRANT SELECT, INSERT, UPDATE ON namespace_passes TO bulkhead_app;
GRANT SELECT ON namespace_passes TO bulkhead_dump;

---- create above / drop below ----

DROP TABLE namespace_passes;
