package temporal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// encodeInput makes a payload of each argument. The JSON stays as it was given:
// to decode it here would round large integers.
func encodeInput(args []json.RawMessage) *commonpb.Payloads {
	if len(args) == 0 {
		return nil
	}
	out := &commonpb.Payloads{Payloads: make([]*commonpb.Payload, len(args))}
	for i, a := range args {
		out.Payloads[i] = jsonPayload(a)
	}
	return out
}

func jsonPayload(data []byte) *commonpb.Payload {
	return &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)},
		Data:     data,
	}
}

// keywordPayload is the value of a search attribute of type Keyword, and just
// as good as a field of a memo.
func keywordPayload(value string) (*commonpb.Payload, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode search attribute: %w", err)
	}
	p := jsonPayload(data)
	p.Metadata[metadataType] = []byte("Keyword")
	return p, nil
}

// opaque is how a payload is shown that is not JSON, for instance because the
// tenant encrypts its data.
type opaque struct {
	Encoding string `json:"encoding"`
	Data     []byte `json:"data"` // base64 in JSON
}

// decodeOutput returns what a workflow returned as JSON: nil for nothing and
// for null, and an array when it returned several values.
func decodeOutput(in *commonpb.Payloads) (json.RawMessage, error) {
	values := make([]json.RawMessage, 0, len(in.GetPayloads()))
	for _, p := range in.GetPayloads() {
		v, err := decodePayload(p)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
		return values[0], nil
	}
	return json.Marshal(values)
}

func decodePayload(p *commonpb.Payload) (json.RawMessage, error) {
	encoding := string(p.GetMetadata()[converter.MetadataEncoding])
	switch encoding {
	case converter.MetadataEncodingNil:
		return nil, nil
	case converter.MetadataEncodingJSON, converter.MetadataEncodingProtoJSON:
		if data := bytes.TrimSpace(p.GetData()); isSound(data) {
			if string(data) == "null" {
				return nil, nil
			}
			return data, nil
		}
	}
	return json.Marshal(opaque{Encoding: encoding, Data: p.GetData()})
}

// maxDepth is how deep JSON of a tenant may be nested to be passed on as it is.
// Readers have limits, encoding/json's own being 10,000.
const maxDepth = 1000

// isSound tells whether data is JSON that every reader takes: UTF-8, which
// json.Valid does not ask for, and of a sane depth. It is checked before it is
// parsed, as a tenant's own workers write it.
func isSound(data []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return utf8.Valid(data) && json.Valid(data)
}
