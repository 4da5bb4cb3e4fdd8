package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// The extensions of the document that say when an operation was deprecated, and
// when it goes. Both are dates, as in 2026-12-31.
const (
	sinceExtension  = "x-deprecated-since"
	sunsetExtension = "x-sunset"
)

// deprecation is what the answers of an operation say that is to go, in the
// form of headers.
type deprecation struct {
	since  []string // RFC 9745
	sunset []string // RFC 8594; nil: it is not known yet
	link   []string // where to read on
}

// newDeprecation reads what the document says. It returns nil for an operation
// that stays.
func newDeprecation(declared *openapi3.Operation) (*deprecation, error) {
	since, isSince, err := dateOf(declared, sinceExtension)
	if err != nil {
		return nil, err
	}
	sunset, isSunset, err := dateOf(declared, sunsetExtension)
	if err != nil {
		return nil, err
	}
	switch {
	case declared.Deprecated != isSince:
		return nil, errors.New("deprecated: true and " + sinceExtension + " belong together")
	case isSunset && !isSince:
		return nil, errors.New(sunsetExtension + " needs deprecated: true")
	case isSunset && sunset.Before(since):
		return nil, errors.New("it can not go before it is deprecated")
	case !isSince:
		return nil, nil
	}
	d := &deprecation{
		since: []string{"@" + strconv.FormatInt(since.Unix(), 10)},
		link:  []string{`</docs#` + declared.OperationID + `>; rel="deprecation"; type="text/html"`},
	}
	if isSunset {
		d.sunset = []string{sunset.Format(http.TimeFormat)}
	}
	return d, nil
}

func dateOf(declared *openapi3.Operation, extension string) (at time.Time, ok bool, err error) {
	value, ok := declared.Extensions[extension]
	if !ok {
		return time.Time{}, false, nil
	}
	text, _ := value.(string)
	at, err = time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%s is no date, as in 2026-12-31", extension)
	}
	return at, true, nil
}

// announce adds the headers to an answer.
func (d *deprecation) announce(h http.Header) {
	if d == nil {
		return
	}
	h["Deprecation"] = d.since
	h["Link"] = d.link
	if d.sunset != nil {
		h["Sunset"] = d.sunset
	}
}
