package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// maxWait is the longest that a request can ask to wait; the contract says so too.
const maxWait = 60 * time.Second

const (
	waitParameter = "wait"
	preferHeader  = "Prefer"
)

// seconds returns what a parameter in seconds asks for.
func seconds(n *int32) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

// parsePrefer reads the preference wait=N of RFC 7240. Others are ignored, as
// the RFC wants; a wait that is none is refused, as who asks to wait would take
// the answer for the end of it.
func parsePrefer(header *string) (time.Duration, error) {
	for preference := range strings.SplitSeq(orZero(header), ",") {
		preference, _, _ = strings.Cut(preference, ";") // its parameters
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), waitParameter) {
			continue
		}
		value = strings.TrimSpace(value)
		if !integerForm.MatchString(value) {
			return 0, fault.InvalidField(preferHeader, ruleFormat, "must ask for wait=N, with N in whole seconds")
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > int(maxWait/time.Second) {
			return 0, fault.InvalidField(preferHeader, ruleRange, "must ask for a wait between 0 and 60 seconds")
		}
		return time.Duration(n) * time.Second, nil // RFC 7240, section 2: the first one counts
	}
	return 0, nil
}

// requestedWait returns how long a request asks to wait, before it was checked:
// what is no good asks for nothing, and is refused soon after.
func requestedWait(r *http.Request) time.Duration {
	if given := r.Header.Get(preferHeader); given != "" {
		wait, err := parsePrefer(&given)
		if err != nil {
			return 0
		}
		return wait
	}
	n, err := strconv.Atoi(r.URL.Query().Get(waitParameter))
	if err != nil || n < 0 || n > int(maxWait/time.Second) {
		return 0
	}
	return time.Duration(n) * time.Second
}

// entityTags is an If-None-Match or If-Match: the versions that the client has.
type entityTags struct {
	any    bool
	strong []string // without their quotes
	weak   []string // … nor their mark
}

// parseEntityTags reads the header If-None-Match or If-Match of RFC 9110, section
// 13.1. Elements of the list may be empty, as the RFC wants.
func parseEntityTags(name string, header *string) (entityTags, error) {
	if header == nil {
		return entityTags{}, nil
	}
	rest := strings.Trim(*header, listSpace)
	if rest == "*" {
		return entityTags{any: true}, nil
	}
	var found entityTags
	for more := true; more; {
		opened, weak := strings.CutPrefix(rest, "W/")
		opened, ok := strings.CutPrefix(opened, `"`)
		tag, after, closed := strings.Cut(opened, `"`)
		if !ok || !closed || strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return entityTags{}, errNoEntityTags(name)
		}
		if weak {
			found.weak = append(found.weak, tag)
		} else {
			found.strong = append(found.strong, tag)
		}
		after = strings.TrimLeft(after, " \t")
		rest = strings.TrimLeft(after, listSpace)
		more = rest != ""
		if more && after[0] != ',' {
			return entityTags{}, errNoEntityTags(name)
		}
	}
	return found, nil
}

// listSpace is what may stand around the elements of a list.
const listSpace = " \t,"

func errNoEntityTags(name string) error {
	return fault.InvalidField(name, ruleFormat, "must be * or a list of quoted entity tags")
}

// match tells whether the client has this version, by the weak comparison of
// If-None-Match: the mark of a weak tag is of no account.
func (t entityTags) match(version string) bool {
	return t.any || slices.Contains(t.strong, version) || slices.Contains(t.weak, version)
}
