// Package revocation measures how long a key can still be used after it, or whatever
// its power comes from, has changed: on several API processes, while the connections
// by which they hear of changes are cut again and again, and on one that is cut off
// from the database. make test/revocation runs it at full size.
package revocation
