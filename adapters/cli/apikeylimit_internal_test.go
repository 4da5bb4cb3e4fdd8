package cli

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestParseRequests(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sdk.Rate{
		"":          {},
		"100/1m/10": {Count: 100, PeriodSeconds: 60, Burst: 10},
		"5/1s":      {Count: 5, PeriodSeconds: 1},
	} {
		t.Run("Should read "+text, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			got, err := parseRequests(text)
			is.NoErr(err)
			is.Equal(got.Requests, want)
			back := ownRequests(&sdk.APIKey{Limits: got})
			is.Equal(back == "", want.Count == 0)
		})
	}
	for _, text := range []string{"100", "100/minute", "many/1m", "100/1500ms", "100/1m/few", "100/1m/10/1"} {
		t.Run("Should say what is wrong with "+text, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := parseRequests(text)
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), "such as 100/1m/10"))
		})
	}
}
