-- OrgGet reads the organization of the scope. The row's own id is the tenancy, so the
-- predicate that other aggregates have on org_id stands on id here.
-- name: OrgGet :one
SELECT * FROM organizations WHERE id = @org_id;

-- OrgInsert stores a new organization.
-- name: OrgInsert :exec
INSERT INTO organizations (id, slug, name, state, state_reason, namespace, metadata, settings, deletion_protected, worker_pool,
                           activated_at, delete_after, limits, limits_version, version, created_at, updated_at, namespace_adopted)
VALUES (@org_id, @slug, @name, @state, @state_reason, @namespace, @metadata, @settings, @deletion_protected, @worker_pool,
        @activated_at, @delete_after, @limits, @limits_version, @version, @created_at, @updated_at, @namespace_adopted);

-- OrgLock reads the organization of the scope and holds its row until the
-- transaction ends: every change of it, and every rule that counts what belongs to
-- it, takes its turn here.
-- name: OrgLock :one
SELECT * FROM organizations WHERE id = @org_id FOR UPDATE;

-- OrgUpdate stores a changed organization. The namespace is not among the columns:
-- it is named once. Limits are written when they have changed, and at no other time:
-- a version of the program that does not know one of them yet leaves it as it is.
-- name: OrgUpdate :execrows
UPDATE organizations
SET slug = $2, name = $3, state = $4, state_reason = $5, metadata = $6, settings = $7, deletion_protected = $8,
    activated_at = $9, delete_after = $10, version = $11, updated_at = $12,
    limits = CASE WHEN limits_version = @limits_version THEN limits ELSE @limits END, limits_version = @limits_version, worker_pool = @worker_pool
WHERE id = $1;

-- OrgCounts counts what belongs to the organization of the scope: its users who were
-- not removed, its keys that were not revoked, and the schedules that are known.
-- name: OrgCounts :one
SELECT (SELECT count(*) FROM users u WHERE u.org_id = @org_id AND u.state <> 'removed') AS members,
       (SELECT count(*) FROM api_keys k WHERE k.org_id = @org_id AND k.state <> 'revoked') AS api_keys,
       (SELECT count(*) FROM schedules s WHERE s.org_id = @org_id) AS schedules;

-- OrgPurge takes up to so many rows of each table from an organization that is past
-- the point of no return, and tells how many it took. The migration says why it is a
-- function, and what it refuses.
-- name: OrgPurge :one
SELECT purge_organization(@org_id, @max_rows)::bigint AS removed;

-- PlatformOrgGet reads any organization. Platform scope only: without it, it finds
-- no more than OrgGet.
-- name: PlatformOrgGet :one
SELECT * FROM organizations WHERE id = @id;

-- PlatformOrgGetBySlug reads any organization by its slug. Platform scope only.
-- name: PlatformOrgGetBySlug :one
SELECT * FROM organizations WHERE slug = @slug;

-- PlatformOrgListOldest lists organizations oldest first, from after the given
-- one. Without a state, tombstones are left out. Platform scope only.
-- name: PlatformOrgListOldest :many
SELECT o.* FROM organizations o
WHERE (CASE @state::text WHEN '' THEN o.state <> 'deleted' ELSE o.state = @state END)
  AND starts_with(o.slug, @slug_prefix) AND o.metadata @> @metadata::jsonb
  AND (@from_start::boolean OR (o.created_at, o.id) > (SELECT a.created_at, a.id FROM organizations a WHERE a.id = @after))
ORDER BY o.created_at, o.id LIMIT @max_rows;

-- PlatformOrgListNewest lists organizations newest first, from after the given
-- one. Without a state, tombstones are left out. Platform scope only.
-- name: PlatformOrgListNewest :many
SELECT o.* FROM organizations o
WHERE (CASE @state::text WHEN '' THEN o.state <> 'deleted' ELSE o.state = @state END)
  AND starts_with(o.slug, @slug_prefix) AND o.metadata @> @metadata::jsonb
  AND (@from_start::boolean OR (o.created_at, o.id) < (SELECT a.created_at, a.id FROM organizations a WHERE a.id = @after))
ORDER BY o.created_at DESC, o.id DESC LIMIT @max_rows;

-- PlatformOrgListBySlug lists organizations by their slugs, from after the given
-- one. Without a state, tombstones are left out. Platform scope only.
-- name: PlatformOrgListBySlug :many
SELECT o.* FROM organizations o
WHERE (CASE @state::text WHEN '' THEN o.state <> 'deleted' ELSE o.state = @state END)
  AND starts_with(o.slug, @slug_prefix) AND o.metadata @> @metadata::jsonb
  AND (@from_start::boolean OR o.slug > (SELECT a.slug FROM organizations a WHERE a.id = @after))
ORDER BY o.slug LIMIT @max_rows;

-- PlatformOrgListBySlugBackwards lists organizations by their slugs, backwards, from after the given
-- one. Without a state, tombstones are left out. Platform scope only.
-- name: PlatformOrgListBySlugBackwards :many
SELECT o.* FROM organizations o
WHERE (CASE @state::text WHEN '' THEN o.state <> 'deleted' ELSE o.state = @state END)
  AND starts_with(o.slug, @slug_prefix) AND o.metadata @> @metadata::jsonb
  AND (@from_start::boolean OR o.slug < (SELECT a.slug FROM organizations a WHERE a.id = @after))
ORDER BY o.slug DESC LIMIT @max_rows;

-- PlatformOrgListActive lists the organizations that workers serve. The system's is
-- none of them: it is no tenant. Platform scope only.
-- name: PlatformOrgListActive :many
SELECT * FROM organizations WHERE state = 'active' AND id <> @system_org_id ORDER BY id;
