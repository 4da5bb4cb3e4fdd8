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

// The kinds of message.
const (
	// ProvisionOrganization asks for an organization's namespace.
	ProvisionOrganization Kind = "org.provision.v1"
	// ReviewDeletion says that something was decided about an organization's
	// deletion: whoever works on it must look at the organization again.
	ReviewDeletion Kind = "org.deletion.v1"
	// ReviewSchedules says that something was decided about whether an organization
	// works, or about all of its schedules: they must be paused, or go on.
	ReviewSchedules Kind = "org.schedules.v1"
	// ReviewNamespace says that something was decided about what an organization's
	// namespace must be like.
	ReviewNamespace Kind = "org.namespace.v1"
)

// Message is one effect to be had. Its key makes repeated delivery harmless.
type Message struct {
	ID        id.Message
	OrgID     id.Org
	Kind      Kind
	Payload   json.RawMessage
	CreatedAt time.Time
	Attempts  int
}

// Gathering is how long a message that gathers waits for others of its kind and its
// organization, which it then stands for: so often at most they have an effect. What
// somebody changes is to be seen soon, and a namespace is changed for a whole cluster.
const Gathering = 5 * time.Second

// Gathers tells whether the message says no more than any other of its kind and its
// organization that nobody has begun to deliver. What was decided stands in the database,
// so that one such message is enough for all decisions that came before its delivery.
func (m Message) Gathers() bool { return m.Kind == ReviewNamespace }

// DueAt is when the message is to be delivered.
func (m Message) DueAt() time.Time {
	if m.Gathers() {
		return m.CreatedAt.Add(Gathering)
	}
	return m.CreatedAt
}

// ProvisionPayload is the payload of ProvisionOrganization. It holds
// identifiers only: what they name is read when it is acted upon.
type ProvisionPayload struct {
	Organization id.Org       `json:"organization"`
	Operation    id.Operation `json:"operation"`
}

// DeletionPayload is the payload of ReviewDeletion. What was decided stands in
// the organization's row, where the last decision wins, and not here, where an
// old one could come late.
type DeletionPayload struct {
	Organization id.Org `json:"organization"`
}

// SchedulesPayload is the payload of ReviewSchedules. What was decided stands in the
// organization's row, as with DeletionPayload, and in the operation that is open.
type SchedulesPayload struct {
	Organization id.Org `json:"organization"`
}

// NamespacePayload is the payload of ReviewNamespace. What was decided stands in the
// organization's row, as with DeletionPayload.
type NamespacePayload struct {
	Organization id.Org `json:"organization"`
}

// NewProvision returns the message that asks for an organization's namespace.
func NewProvision(org id.Org, op id.Operation, now time.Time) (Message, error) {
	return newMessage(org, ProvisionOrganization, ProvisionPayload{Organization: org, Operation: op}, now)
}

// NewDeletion returns the message that something was decided about an
// organization's deletion.
func NewDeletion(org id.Org, now time.Time) (Message, error) {
	return newMessage(org, ReviewDeletion, DeletionPayload{Organization: org}, now)
}

// NewSchedules returns the message that something was decided about whether an
// organization works, or about its schedules.
func NewSchedules(org id.Org, now time.Time) (Message, error) {
	return newMessage(org, ReviewSchedules, SchedulesPayload{Organization: org}, now)
}

// NewNamespace returns the message that it was decided what an organization's
// namespace must be like.
func NewNamespace(org id.Org, now time.Time) (Message, error) {
	return newMessage(org, ReviewNamespace, NamespacePayload{Organization: org}, now)
}

func newMessage(org id.Org, kind Kind, payload any, now time.Time) (Message, error) {
	b, err := json.Marshal(payload)
	if err != nil {
		return Message{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return Message{ID: id.New[id.MessageKind](), OrgID: org, Kind: kind, Payload: b, CreatedAt: now}, nil
}
