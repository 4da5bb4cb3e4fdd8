package signing

import (
	"bytes"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/bulkheadhq/bulkhead/core/signing"
)

// maxSigners bounds the memory of unsealed keys. One key signs at a time; a few
// more exist while a rotation reaches every replica.
const maxSigners = 8

// signers remembers unsealed keys by their id. The zero value is empty.
type signers struct {
	mu   sync.Mutex
	byID map[string]remembered
}

type remembered struct {
	signer   jose.Signer
	sealed   []byte
	sealedBy int16
}

// get returns the remembered signer of exactly this sealed key, or the one that
// open makes of it. Another sealed form under a known id is opened anew: what
// cannot be unsealed must fail whatever was seen before.
func (s *signers) get(k signing.Key, open func(signing.Key) (jose.Signer, error)) (jose.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.byID[k.ID]; ok && r.sealedBy == k.SealedBy && bytes.Equal(r.sealed, k.Sealed) {
		return r.signer, nil
	}
	signer, err := open(k)
	if err != nil {
		return nil, err
	}
	if s.byID == nil || len(s.byID) >= maxSigners {
		s.byID = make(map[string]remembered, maxSigners)
	}
	s.byID[k.ID] = remembered{signer: signer, sealed: bytes.Clone(k.Sealed), sealedBy: k.SealedBy}
	return signer, nil
}
