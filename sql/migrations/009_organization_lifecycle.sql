-- Organizations: suspension, deletion and what belongs to it.

SELECT 1;

---- create above / drop below ----

SELECT 1;
