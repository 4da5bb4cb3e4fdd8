package apikeys

import (
	"fmt"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
)

// fields is what the trail keeps of a key, by field, besides its metadata. Of its secrets that is the
// last four characters: the trail blots out what begins like a key.
func fields(s apikey.Snapshot) map[string]any {
	return map[string]any{
		"name": s.Name, "description": s.Description, "user": s.UserID.String(), "scopes": s.Scopes.Names(),
		"allowed_ips": s.AllowedIPs.Strings(), "state": s.State.String(),
		"expires_at": moment(s.ExpiresAt), "last_four": s.LastFour, "old_last_four": s.Old.LastFour, "old_secret_until": until(s.Old),
		"requests": perPeriod(s.Limits[limit.Requests].Rate),
	}
}

// perPeriod says how often, and how often at once.
func perPeriod(r ratelimit.Rate) string {
	if r.Unlimited() {
		return ""
	}
	return fmt.Sprintf("%d in %s, burst %d", r.Count, r.Period, r.Burst)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// until says what ends an old secret.
func until(p apikey.Previous) string {
	switch at := moment(p.ExpiresAt); {
	case p.UntilSeen && at != "":
		return at + " or seen"
	case p.UntilSeen:
		return "seen"
	default:
		return at
	}
}

// differences returns the fields in which two versions of a key differ.
func differences(before, after apikey.Snapshot) map[string]audit.Change {
	out := map[string]audit.Change{}
	old := fields(before)
	for name, value := range fields(after) {
		if !same(old[name], value) {
			out[name] = audit.Change{Before: old[name], After: value}
		}
	}
	noteMetadata(out, before.Metadata, after.Metadata)
	return out
}

func noteMetadata(changes map[string]audit.Change, before, after apikey.Metadata) {
	if keys, changed := audit.Keys(before, after); changed {
		changes["metadata"] = keys
	}
}

func same(a, b any) bool {
	switch a := a.(type) {
	case []string:
		b, ok := b.([]string)
		return ok && slices.Equal(a, b)
	default:
		return a == b
	}
}

// empty tells whether a field says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case []string:
		return len(v) == 0
	default:
		return v == ""
	}
}

// creation returns the fields of a new key.
func creation(k apikey.Key) map[string]audit.Change {
	out := map[string]audit.Change{}
	for name, value := range fields(k.Snapshot()) {
		if !empty(value) {
			out[name] = audit.Created(value)
		}
	}
	noteMetadata(out, nil, k.Snapshot().Metadata)
	return out
}

// removal returns the fields that a key had.
func removal(s apikey.Snapshot) map[string]audit.Change {
	out := map[string]audit.Change{}
	for name, value := range fields(s) {
		if !empty(value) {
			out[name] = audit.Change{Before: value}
		}
	}
	noteMetadata(out, s.Metadata, nil)
	return out
}
