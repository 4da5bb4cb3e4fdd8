// Package postgres keeps Bulkhead's data in Postgres. It is the only package that
// speaks to it.
//
// Two layers keep organizations apart, each enough alone: every query of an
// organization names it in its predicate, and row-level security compares each
// row with the scope of the transaction. There is no way to the pool around the
// scope: a query runs either in one of the transactions of [Store.WriteTx] and
// its like, or through [scoped]. Both send the scope ahead in the same round trip:
// [scoped] ahead of its query, a transaction ahead of its first statement. A scope always states both of its settings, for the transaction
// only, so that nothing which a connection carries over can widen it and
// poolers in transaction mode are no trouble.
//
// Authentication happens before an organization is known. It has a role and a
// small pool of its own, so that a flood of requests can not starve it, and
// that role may read a few columns and nothing else.
package postgres
