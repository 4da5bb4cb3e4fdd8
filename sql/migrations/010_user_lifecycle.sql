-- Users: service accounts and their lives.

SELECT 1;

---- create above / drop below ----

SELECT 1;
