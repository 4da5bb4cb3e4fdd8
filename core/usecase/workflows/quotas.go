package workflows

import (
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/core/limit"
)

// admitPayload fails with limit.ErrExceeded when the arguments are larger together
// than the quota of an organization for which the given limits were set.
func (s *Service) admitPayload(set limit.Set, arguments []json.RawMessage) error {
	var size int64
	for _, a := range arguments {
		size += int64(len(a))
	}
	l, _ := s.limits.Of(limit.PayloadBytes, set)
	return l.Admit(limit.PayloadBytes, 0, size)
}
