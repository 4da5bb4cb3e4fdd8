package org

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// Settings are what an organization decides for itself. Zero is: not decided.
// They are stored as this JSON.
type Settings struct {
	// DeletionGraceDays is how long the organization can be restored; see DeletionGrace.
	DeletionGraceDays int `json:"deletion_grace_days,omitempty"`
	// AuditRetentionDays is how long the audit trail is kept.
	AuditRetentionDays int `json:"audit_retention_days,omitempty"`
	// APIKeyDefaultTTLDays is the life of a key whose maker names none.
	APIKeyDefaultTTLDays int `json:"api_key_default_ttl_days,omitempty"`
	// APIKeyMaxTTLDays is the longest life of a key.
	APIKeyMaxTTLDays int `json:"api_key_max_ttl_days,omitempty"`
	// WorkflowRetentionDays is how long closed executions are kept; see WorkflowRetention.
	WorkflowRetentionDays int `json:"workflow_retention_days,omitempty"`
	// AllowList says which workflows each role may start. It is read and replaced by
	// itself: a change of the other settings leaves it as it is.
	AllowList AllowList `json:"allow_list,omitempty"`
}

// equal tells whether both decide the same.
func (s Settings) equal(o Settings) bool {
	same := s.AllowList.Equal(o.AllowList)
	s.AllowList, o.AllowList = nil, nil
	return same && reflect.DeepEqual(s, o)
}

// MaxOwnWorkflowRetentionDays is the longest that an organization keeps closed
// executions by its own decision: they fill a database that it shares. More is for
// an operator to grant.
const MaxOwnWorkflowRetentionDays = 90

// DefaultDeletionGrace is how long an organization can be restored that has
// decided nothing.
const DefaultDeletionGrace = 7 * day

const day = 24 * time.Hour

// DeletionGrace is how long the organization can be restored after it was deleted.
func (s Settings) DeletionGrace() time.Duration {
	if s.DeletionGraceDays == 0 {
		return DefaultDeletionGrace
	}
	return time.Duration(s.DeletionGraceDays) * day
}

// WorkflowRetention is how long closed executions are kept; zero is: not decided.
func (s Settings) WorkflowRetention() time.Duration {
	return time.Duration(s.WorkflowRetentionDays) * day
}

// NeedsOperator fails with fault.ErrInvalid when only an operator may make the
// settings, which were others before.
func (s Settings) NeedsOperator(before Settings) error {
	if s.WorkflowRetentionDays > max(before.WorkflowRetentionDays, MaxOwnWorkflowRetentionDays) {
		return fault.InvalidField("/settings/workflow_retention_days", "range", "must be at most 90; an operator can set more")
	}
	return nil
}

func (s Settings) check() error {
	for _, r := range []struct {
		name     string
		value    int
		min, max int
		detail   string
	}{
		{"deletion_grace_days", s.DeletionGraceDays, 1, 90, "must be between 1 and 90"},
		// A trail that its subject could shorten to nothing would be none.
		{"audit_retention_days", s.AuditRetentionDays, 30, 3650, "must be between 30 and 3650"},
		{"api_key_default_ttl_days", s.APIKeyDefaultTTLDays, 1, 3650, "must be between 1 and 3650"},
		{"api_key_max_ttl_days", s.APIKeyMaxTTLDays, 1, 3650, "must be between 1 and 3650"},
		{"workflow_retention_days", s.WorkflowRetentionDays, 1, 3650, "must be between 1 and 3650"},
	} {
		if r.value != 0 && (r.value < r.min || r.value > r.max) {
			return fault.InvalidField("/settings/"+r.name, "range", r.detail)
		}
	}
	if s.APIKeyMaxTTLDays != 0 && s.APIKeyDefaultTTLDays > s.APIKeyMaxTTLDays {
		return fault.InvalidField("/settings/api_key_default_ttl_days", "range", "must not be more than api_key_max_ttl_days")
	}
	return nil
}

// Metadata is what an organization's keepers note on it: words of their own, of
// which Bulkhead makes nothing. nil is none.
type Metadata map[string]string

// The bounds of metadata.
const (
	maxMetadata      = 50
	maxMetadataValue = 512
	maxMetadataBytes = 16 << 10 // of all keys and values in UTF-8
)

var metadataKey = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

func (m Metadata) check() error {
	if len(m) > maxMetadata {
		return fault.InvalidField("/metadata", "max_properties", "must have at most 50 keys")
	}
	bytes := 0
	for _, k := range slices.Sorted(maps.Keys(m)) { // the same answer to the same request
		v := m[k]
		bytes += len(k) + len(v)
		switch {
		case !metadataKey.MatchString(k):
			return fault.InvalidField("/metadata", "format", "a key must have 1 to 64 of the characters a-z, 0-9, _, . and -")
		case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
			return fault.InvalidField("/metadata/"+k, "characters", "must be valid UTF-8 without NUL")
		case utf8.RuneCountInString(v) > maxMetadataValue:
			return fault.InvalidField("/metadata/"+k, "max_length", "must have at most 512 characters")
		}
	}
	if bytes > maxMetadataBytes {
		return fault.InvalidField("/metadata", "max_length", "must have at most 16,384 bytes of keys and values in UTF-8")
	}
	return nil
}

// clone returns a copy; nil for an empty one, so that there is one form of none.
func (m Metadata) clone() Metadata {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}
