package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
)

// Hash is the hash of an entry and, through it, of all before it.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads a hash in hexadecimal.
func ParseHash(s string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != s {
		return Hash{}, fmt.Errorf("not %d bytes in lower-case hexadecimal", len(h))
	}
	copy(h[:], b)
	return h, nil
}

// Anchor is a place in a chain: an entry's number and hash. The zero Anchor is
// the place before the first entry.
type Anchor struct {
	Seq  int64
	Hash Hash
}

// Next returns the place of an entry that follows: its number, and the SHA-256 of
// the hash before it, of that number and of its body. The database computes the
// same when it appends (sql/queries/audit_events.sql).
func (a Anchor) Next(body []byte) Anchor {
	next := Anchor{Seq: a.Seq + 1}
	h := sha256.New()
	h.Write(a.Hash[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(next.Seq))) //nolint:gosec // as the database writes it, in two's complement
	h.Write(body)
	h.Sum(next.Hash[:0])
	return next
}

// Chain is where an organization's chain begins and ends.
type Chain struct {
	Start Anchor // what stands before the first entry that is kept
	Head  Anchor // the last entry
	Last  int64  // the highest number that an entry has: the head's
}

// bodyVersion names the form of a body, and is its first field.
const bodyVersion = "bulkhead audit entry 1"

// Body returns what of an entry is hashed besides its place: every field as its
// length, in four bytes, and its text. No two entries have the same body.
func (r Record) Body() []byte {
	b := make([]byte, 0, 512)
	for _, v := range []string{
		bodyVersion,
		r.OrgID.String(), r.ID.String(), strconv.FormatInt(r.At.UnixMicro(), 10),
		r.Actor.Kind, r.Actor.Org.String(), r.Actor.User.String(), r.Actor.Key.String(), r.Actor.Name,
		r.Action, r.ResourceType, r.ResourceID, r.Outcome, string(r.Changes), strconv.FormatInt(r.Count, 10),
		r.RequestID, text(r.SourceIP),
	} {
		b = field(b, v)
	}
	return b
}

func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func field(b []byte, v string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v))) //nolint:gosec // a request is far smaller
	return append(b, v...)
}

// Verifier follows a chain, entry by entry, in the memory of one.
type Verifier struct {
	from, at Anchor
	bad      int64
}

// NewVerifier returns a verifier of the entries after an anchor.
func NewVerifier(from Anchor) *Verifier { return &Verifier{from: from, at: from} }

// Add takes the next entry. It is false when the chain is broken there, or was
// before: what follows a break says nothing more.
func (v *Verifier) Add(r Record) bool {
	if v.bad != 0 {
		return false
	}
	next := v.at.Next(r.Body())
	if r.Seq != next.Seq || r.Hash != next.Hash {
		v.bad = next.Seq
		return false
	}
	v.at = next
	return true
}

// End compares the end of what was added with the head of the chain, which is
// further on when entries are missing at the end.
func (v *Verifier) End(head Anchor) bool {
	switch {
	case v.bad != 0 || v.at == head:
	case v.at.Seq < head.Seq:
		v.bad = v.at.Seq + 1
	default:
		v.bad = max(head.Seq, v.from.Seq+1)
	}
	return v.bad == 0
}

// At returns the last entry that was found good.
func (v *Verifier) At() Anchor { return v.at }

// Checked returns how many entries were found good.
func (v *Verifier) Checked() int64 { return v.at.Seq - v.from.Seq }

// FirstBad returns the number of the first entry that is not as it was written,
// or is missing; 0 when there is none.
func (v *Verifier) FirstBad() int64 { return v.bad }
