package temporal

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/matryer/is"
	commonpb "go.temporal.io/api/common/v1"
)

func TestDecodeOutput(t *testing.T) {
	t.Parallel()
	payload := func(data string) *commonpb.Payload {
		return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(data)}
	}
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for name, data := range map[string]string{
		"is nested too deep":             deep,
		"is nested and never closed":     strings.Repeat("[", 10_000),
		"is no UTF-8":                    "\"\xff\xfe\"",
		"is no JSON":                     "{",
		"hides its depth behind a quote": `"\"` + deep,
	} {
		t.Run("Should wrap what a tenant's worker wrote and "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			for _, all := range [][]*commonpb.Payload{{payload(data)}, {payload(data), payload("1")}} {
				out, err := decodeOutput(&commonpb.Payloads{Payloads: all})
				is.NoErr(err)
				is.True(utf8.Valid(out) && json.Valid(out))
				is.True(strings.Contains(string(out), `{"encoding":"json/plain","data":"`))
			}
		})
	}

	t.Run("Should pass on sound JSON byte for byte", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, data := range []string{`{"a":[1.10,"\"[[["]}`, `"é"`, "1152921504606846977", strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)} {
			out, err := decodeOutput(&commonpb.Payloads{Payloads: []*commonpb.Payload{payload(data)}})
			is.NoErr(err)
			is.Equal(string(out), data)
		}
	})
}
