-- The audit trail as a chain.

SELECT 1;

---- create above / drop below ----

SELECT 1;
