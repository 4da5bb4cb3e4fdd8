// Package porttest holds the conformance suites of the ports: each normative
// comment in package ports, executed. An adapter runs them in three lines. What
// a suite does not ask for, nothing may rely on.
package porttest

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Backend is a database, as all of its ports see it. The suites need the others
// to prepare and to observe what they ask of one.
type Backend struct {
	Store       ports.Store
	Platform    ports.Platform
	Credentials ports.Credentials
	Feed        ports.CredentialFeed
	KeyUses     ports.KeyUses
	KeyCensus   ports.KeyCensus
	UsageHours  ports.UsageHours
	Members     ports.WorkerMembers
	Passes      ports.NamespacePasses
	Outbox      ports.Outbox
	SigningKeys ports.SigningKeys
	Idempotency ports.Idempotency
	Audit       ports.Trail
	Dispatches  ports.Dispatches

	// Trail returns the identifiers of an organization's audit entries in their
	// order, past every scope.
	Trail func(t testing.TB, o id.Org) []id.Event
}

// Open makes a Backend on an empty database of its own, which ends with the test.
type Open func(t *testing.T) Backend
