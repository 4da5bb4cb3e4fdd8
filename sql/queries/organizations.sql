-- OrgGet reads the organization of the scope. The row's own id is the tenancy, so the
-- predicate that other aggregates have on org_id stands on id here.
-- name: OrgGet :one
SELECT * FROM organizations WHERE id = @org_id;

-- OrgInsert stores a new organization.
-- name: OrgInsert :exec
INSERT INTO organizations (id, slug, name, state, state_reason, namespace, version, created_at, updated_at)
VALUES (@org_id, @slug, @name, @state, @state_reason, @namespace, @version, @created_at, @updated_at);

-- OrgLock reads the organization of the scope and holds its row until the
-- transaction ends: every change of it, and every rule that counts what belongs to
-- it, takes its turn here.
-- name: OrgLock :one
SELECT * FROM organizations WHERE id = @org_id FOR UPDATE;

-- OrgUpdate stores a changed organization. The namespace is not among the columns:
-- it is named once.
-- name: OrgUpdate :execrows
UPDATE organizations
SET slug = $2, name = $3, state = $4, state_reason = $5, version = $6, updated_at = $7
WHERE id = $1;

-- PlatformOrgGet reads any organization. Platform scope only: without it, it finds
-- no more than OrgGet.
-- name: PlatformOrgGet :one
SELECT * FROM organizations WHERE id = @id;

-- PlatformOrgGetBySlug reads any organization by its slug. Platform scope only.
-- name: PlatformOrgGetBySlug :one
SELECT * FROM organizations WHERE slug = @slug;

-- PlatformOrgList lists all organizations by their ids, which grow with time.
-- Platform scope only.
-- name: PlatformOrgList :many
SELECT * FROM organizations WHERE id > @after ORDER BY id LIMIT @max_rows;

-- PlatformOrgListActive lists the organizations that workers serve. The system's is
-- none of them: it is no tenant. Platform scope only.
-- name: PlatformOrgListActive :many
SELECT * FROM organizations WHERE state = 'active' AND id <> @system_org_id ORDER BY id;
