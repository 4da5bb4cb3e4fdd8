package httpapi

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

func TestParsePrefer(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		header string
		wait   time.Duration
		rule   string
	}{
		{"wait=0", 0, ""},
		{"wait=60", maxWait, ""},
		{"Wait = 5", 5 * time.Second, ""},
		{"respond-async, wait=5; foo=bar, return=minimal", 5 * time.Second, ""},
		{"wait=5, wait=9", 5 * time.Second, ""},
		{"", 0, ""},
		{"return=minimal", 0, ""},
		{"waiting=5", 0, ""},
		{"wait", 0, "format"},
		{"wait=", 0, "format"},
		{"wait=soon", 0, "format"},
		{"wait=1.5", 0, "format"},
		{"wait=+5", 0, "format"},
		{`wait="5"`, 0, "format"},
		{"wait=-1", 0, "range"},
		{"wait=61", 0, "range"},
		{"wait=99999999999999999999", 0, "range"},
		{"wait=9223372036854775807", 0, "range"},
	} {
		t.Run("Should read "+c.header, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)

			wait, err := parsePrefer(&c.header)
			is.Equal(wait, c.wait)
			if c.rule == "" {
				is.NoErr(err)
				return
			}
			is.Equal(fault.From(err).Fields[0].Rule, c.rule)
		})
	}
}
