// Package outbox is how a transaction has an effect outside the database: it
// leaves a message, which the relay delivers after the commit, at least once.
package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// Kind names the sort and version of a message. A payload's form never changes
// within a kind: a new form is a new kind.
type Kind string

// ProvisionOrganization asks for an organization's namespace.
const ProvisionOrganization Kind = "org.provision.v1"

// Message is one effect to be had. Its key makes repeated delivery harmless.
type Message struct {
	ID        id.Message
	OrgID     id.Org
	Kind      Kind
	Payload   json.RawMessage
	CreatedAt time.Time
	Attempts  int
}

// ProvisionPayload is the payload of ProvisionOrganization. It holds
// identifiers only: what they name is read when it is acted upon.
type ProvisionPayload struct {
	Organization id.Org       `json:"organization"`
	Operation    id.Operation `json:"operation"`
}

// NewProvision returns the message that asks for an organization's namespace.
func NewProvision(org id.Org, op id.Operation, now time.Time) (Message, error) {
	b, err := json.Marshal(ProvisionPayload{Organization: org, Operation: op})
	if err != nil {
		return Message{}, fmt.Errorf("encode %s: %w", ProvisionOrganization, err)
	}
	return Message{ID: id.New[id.MessageKind](), OrgID: org, Kind: ProvisionOrganization, Payload: b, CreatedAt: now}, nil
}
