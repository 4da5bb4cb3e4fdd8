-- AuditInsert appends an event, in the transaction of the change it tells of. It is
-- the only write there is: the app role may not alter or delete.
-- name: AuditInsert :exec
INSERT INTO audit_events (org_id, id, at, actor_kind, actor_org_id, actor_user_id, actor_key_id, actor_name,
                          action, resource_type, resource_id, outcome, changes, request_id, source_ip)
VALUES (@org_id, @id, @at, @actor_kind, @actor_org_id, @actor_user_id, @actor_key_id, @actor_name,
        @action, @resource_type, @resource_id, @outcome, @changes, @request_id, @source_ip);
