-- API keys: rotation, addresses, policy.

SELECT 1;

---- create above / drop below ----

SELECT 1;
