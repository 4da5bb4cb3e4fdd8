// Package pool divides the organizations of a pool among the worker processes that
// share it.
//
// Each process is a member under a name of its own, and each organization is served
// by the members that score highest for it (rendezvous hashing). Nobody hands
// anything out: whoever knows the members computes the same shares, and a member
// that comes or goes moves no more organizations than it serves itself.
package pool

import (
	"regexp"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// MaxReplicas is by how many members an organization can be served at most.
const MaxReplicas = 16

var memberForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

// CheckMember checks a member's name, which can be that of a host. It fails with
// fault.ErrInvalid.
func CheckMember(name string) error {
	if !memberForm.MatchString(name) {
		return fault.InvalidField("member", "format", "must have 1 to 100 letters, digits, ., _, : and -, starting with a letter or digit")
	}
	return nil
}

// Lease is what makes a process a member of a pool.
type Lease struct {
	Pool   string // "": that of all organizations
	Member string
	EndsAt time.Time
	// HasEnded is that the member has not asked in time. It keeps its share until
	// another member asks.
	HasEnded bool
}

// Share is what one of a pool's members serves.
type Share struct {
	self     member
	others   []member
	replicas int
}

type member struct {
	name string
	hash uint64
}

// NewShare returns the share of one of the members, where each organization is
// served by so many of them; of at least one. That self is among the members makes no
// difference, nor does their order.
func NewShare(self string, members []string, replicas int) Share {
	s := Share{self: member{self, hash(self)}, replicas: max(replicas, 1)}
	for _, name := range members {
		if name != self {
			s.others = append(s.others, member{name, hash(name)})
		}
	}
	return s
}

// Has tells whether the member is one of those that serve an organization.
func (s Share) Has(o id.Org) bool {
	u := o.UUID()
	at := hash(string(u[:]))
	ahead, own := 0, mix(s.self.hash^at)
	for _, m := range s.others {
		score := mix(m.hash ^ at)
		if score > own || (score == own && m.name < s.self.name) {
			if ahead++; ahead == s.replicas {
				return false
			}
		}
	}
	return true
}

// hash is FNV-1a of 64 bits, mixed. Every process, of whatever version, must compute
// the same: a hash with a seed of its own would not do.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of MurmurHash3: each bit of x decides over every bit of the
// result.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
