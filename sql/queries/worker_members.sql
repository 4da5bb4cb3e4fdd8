-- WorkerMemberHold gives a member of a pool a lease, or prolongs it. Who held one until
-- now takes away those of the pool that have lapsed; who comes back after a time in
-- which it could not ask does not judge others, as they could not ask either. What is
-- left of pools that nobody asks for any more goes in the end. A row that is locked is
-- being held anew, or taken away by another.
-- name: WorkerMemberHold :exec
WITH own AS (
    SELECT 1 FROM worker_members o WHERE o.pool = @pool AND o.member = @member AND o.expires_at > now()
), lapsed AS (
    DELETE FROM worker_members d
    USING (SELECT l.pool, l.member FROM worker_members l
        WHERE (l.pool, l.member) <> (@pool, @member)
          AND ((l.pool = @pool AND l.expires_at <= now() AND EXISTS (SELECT FROM own)) OR l.expires_at < now() - interval '1 day')
        FOR UPDATE SKIP LOCKED) gone
    WHERE d.pool = gone.pool AND d.member = gone.member
)
INSERT INTO worker_members AS m (pool, member, expires_at) VALUES (@pool, @member, now() + make_interval(secs => @lease_seconds::double precision))
ON CONFLICT (pool, member) DO UPDATE SET expires_at = EXCLUDED.expires_at;

-- WorkerMemberLeave ends a member's lease.
-- name: WorkerMemberLeave :exec
DELETE FROM worker_members WHERE pool = @pool AND member = @member;

-- WorkerMemberList lists the members of all pools.
-- name: WorkerMemberList :many
SELECT pool, member FROM worker_members ORDER BY pool, member;

-- WorkerMemberLeases lists the members of all pools with their leases.
-- name: WorkerMemberLeases :many
SELECT pool, member, expires_at, (expires_at <= now())::boolean AS has_ended FROM worker_members ORDER BY pool, member;
