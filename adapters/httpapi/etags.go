package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// ETagKey is the secret that proves an entity tag to be ours. All replicas share it.
type ETagKey []byte

var errNoPrecondition = fault.Define(fault.PreconditionFailed, "request.precondition_required",
	"The request must say with If-Match which version of the resource it is meant for.")

// versionMark is how much of a tag's proof is kept: enough that none is guessed.
const versionMark = 12

// etag returns the strong entity tag of a thing's version. Its proof binds it to
// the thing and its organization: a tag says nothing about another's, and a
// version that was made up matches nothing.
func (h *handlers) etag(org id.Org, thing string, version int64) string {
	v := strconv.FormatInt(version, 10)
	return `"` + v + "." + h.proof(org, thing, v) + `"`
}

func (h *handlers) proof(org id.Org, thing, version string) string {
	mac := hmac.New(sha256.New, h.ETagKey)
	mac.Write([]byte(org.String() + "\n" + thing + "\n" + version))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:versionMark])
}

// ifMatch returns the version that the header If-Match of RFC 9110, section
// 13.1.1, names of a thing; 0 when any will do. Of several versions it is the
// last: versions only grow, so no earlier one is the present one. The comparison
// is the strong one: a weak tag matches nothing. It fails when there is no
// header, as a change must say what it is meant for, and with fault.ErrStale for
// tags that are none of the thing's.
func (h *handlers) ifMatch(header *string, org id.Org, thing string) (int64, error) {
	if header == nil {
		return 0, errNoPrecondition
	}
	given, err := parseEntityTags("If-Match", header)
	if err != nil {
		return 0, err
	}
	if given.any {
		return 0, nil
	}
	var last int64
	for _, tag := range given.strong {
		v, proof, _ := strings.Cut(tag, ".")
		n, err := strconv.ParseInt(v, 10, 64)
		if err == nil && n > last && hmac.Equal([]byte(proof), []byte(h.proof(org, thing, v))) {
			last = n
		}
	}
	if last == 0 {
		return 0, fault.ErrStale
	}
	return last, nil
}
