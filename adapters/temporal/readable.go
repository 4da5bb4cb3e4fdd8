package temporal

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// maxShown is how large one value of a tenant's may be to be shown in a history, in
// bytes.
const maxShown = 16 * 1024

// omitted stands for a value that is too large to be shown among many.
type omitted struct {
	Encoding string `json:"encoding"`
	Omitted  string `json:"omitted"`
	Bytes    int    `json:"bytes"`
}

// event reads an event of a history.
func event(e *historypb.HistoryEvent) (workflow.Event, error) {
	attributes := map[string]any{}
	m := e.ProtoReflect()
	if f := m.WhichOneof(m.Descriptor().Oneofs().ByName("attributes")); f != nil {
		var err error
		if attributes, err = readable(m.Get(f).Message()); err != nil {
			return workflow.Event{}, err
		}
	}
	data, err := json.Marshal(attributes)
	if err != nil {
		return workflow.Event{}, fmt.Errorf("encode event %d: %w", e.GetEventId(), err)
	}
	return workflow.Event{
		ID: e.GetEventId(), Type: small(e.GetEventType().Descriptor(), e.GetEventType().Number()), At: e.GetEventTime().AsTime(), Attributes: data,
	}, nil
}

// readable returns what a message says, by the names of its fields. What is not set
// is left out.
func readable(m protoreflect.Message) (map[string]any, error) {
	out := map[string]any{}
	var failed error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		var shown any
		if shown, failed = readableField(f, v); failed == nil {
			out[string(f.Name())] = shown
		}
		return failed == nil
	})
	return out, failed
}

func readableField(f protoreflect.FieldDescriptor, v protoreflect.Value) (any, error) {
	switch {
	case f.IsMap():
		out := map[string]any{}
		var failed error
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			out[k.String()], failed = readableValue(f.MapValue(), v)
			return failed == nil
		})
		return out, failed
	case f.IsList():
		out := make([]any, v.List().Len())
		for i := range out {
			var err error
			if out[i], err = readableValue(f, v.List().Get(i)); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return readableValue(f, v)
}

func readableValue(f protoreflect.FieldDescriptor, v protoreflect.Value) (any, error) {
	switch f.Kind() {
	case protoreflect.EnumKind:
		return small(f.Enum(), v.Enum()), nil
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if n := v.Float(); math.IsNaN(n) || math.IsInf(n, 0) {
			return strconv.FormatFloat(n, 'g', -1, 64), nil
		}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return readableMessage(v.Message())
	}
	return v.Interface(), nil
}

func readableMessage(m protoreflect.Message) (any, error) {
	switch m := m.Interface().(type) {
	case *commonpb.Payload:
		return payloadShown(m)
	case *commonpb.Payloads:
		out := make([]any, len(m.GetPayloads()))
		for i, p := range m.GetPayloads() {
			var err error
			if out[i], err = payloadShown(p); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *timestamppb.Timestamp:
		return m.AsTime().Format(time.RFC3339Nano), nil
	case *durationpb.Duration:
		return m.AsDuration().String(), nil
	}
	return readable(m)
}

// payloadShown is a value of the tenant's: JSON as it is, and else marked.
func payloadShown(p *commonpb.Payload) (any, error) {
	if size := len(p.GetData()); size > maxShown {
		return omitted{Encoding: string(p.GetMetadata()[converter.MetadataEncoding]), Omitted: "too_large", Bytes: size}, nil
	}
	return shown(p)
}

// small returns the name of an enum's value as the rest of the API writes such names:
// that of EVENT_TYPE_TIMER_FIRED is timer_fired.
func small(d protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := d.Values().ByNumber(n)
	if v == nil {
		return strconv.Itoa(int(n)) // of a Temporal that is younger than this release
	}
	return strings.TrimPrefix(strings.ToLower(string(v.Name())), snake(string(d.Name()))+"_")
}

// snake writes EventType as event_type.
func snake(camel string) string {
	var b strings.Builder
	for i, r := range camel {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
