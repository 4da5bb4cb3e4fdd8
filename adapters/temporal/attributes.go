package temporal

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// metadataType is where a payload says which type of search attribute it is.
const metadataType = "type"

// attributeTypes are the types of search attributes, as Temporal calls them.
var attributeTypes = map[workflow.AttributeType]enumspb.IndexedValueType{
	workflow.Keyword:     enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	workflow.KeywordList: enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	workflow.Text:        enumspb.INDEXED_VALUE_TYPE_TEXT,
	workflow.Int:         enumspb.INDEXED_VALUE_TYPE_INT,
	workflow.Double:      enumspb.INDEXED_VALUE_TYPE_DOUBLE,
	workflow.Bool:        enumspb.INDEXED_VALUE_TYPE_BOOL,
	workflow.Datetime:    enumspb.INDEXED_VALUE_TYPE_DATETIME,
}

// attributePayload is the value of a search attribute.
func attributePayload(a workflow.Attribute) *commonpb.Payload {
	p := jsonPayload(a.Value)
	p.Metadata[metadataType] = []byte(attributeTypes[a.Type].String())
	return p
}

// attributeFault says which search attributes it is that Temporal refuses a start
// for: its own text names the namespace, too. Where they are all right the refusal
// has another reason.
func (d *Dispatcher) attributeFault(ctx context.Context, namespace string, given workflow.Attributes, err error) error {
	if len(given) == 0 || !fault.IsKind(err, fault.Invalid) {
		return err
	}
	known, failed := invoke(ctx, d.conn.cfg.CallTimeout, d.conn.tenant.OperatorService().ListSearchAttributes, &operatorservice.ListSearchAttributesRequest{
		Namespace: namespace,
	})
	if failed != nil {
		return err
	}
	var fields []fault.Field
	for _, name := range slices.Sorted(maps.Keys(given)) {
		pointer := "/search_attributes/" + name
		switch has, ok := known.GetCustomAttributes()[name]; {
		case !ok:
			fields = append(fields, fault.Field{Pointer: pointer, Rule: "unknown", Detail: "is not registered in the organization's namespace"})
		case has != attributeTypes[given[name].Type]:
			fields = append(fields, fault.Field{Pointer: pointer + "/type", Rule: "type", Detail: "is not the type that the attribute was registered with"})
		}
	}
	if len(fields) == 0 {
		return err
	}
	return fault.ErrInvalid.WithFields(fields...).Because(err)
}

// details reads what is shown of one execution alone.
func details(res *workflowservice.DescribeWorkflowExecutionResponse) (*workflow.Details, error) {
	info, config := res.GetWorkflowExecutionInfo(), res.GetExecutionConfig()
	out := workflow.Details{
		StartedBy:        workflow.Starter{APIKey: textOf(info.GetMemo(), memoActor), User: textOf(info.GetMemo(), memoUser)},
		Memo:             workflow.Memo{},
		Attributes:       workflow.Attributes{},
		ExecutionTimeout: config.GetWorkflowExecutionTimeout().AsDuration(),
		RunTimeout:       config.GetWorkflowRunTimeout().AsDuration(),
		TaskTimeout:      config.GetDefaultWorkflowTaskTimeout().AsDuration(),
		Parent:           workflow.Target{ID: info.GetParentExecution().GetWorkflowId(), RunID: info.GetParentExecution().GetRunId()},
		FirstRunID:       info.GetFirstRunId(),
	}
	for name, p := range info.GetMemo().GetFields() {
		if name == memoActor || name == memoUser {
			continue
		}
		v, err := shown(p)
		if err != nil {
			return nil, err
		}
		out.Memo[name] = v
	}
	for name, p := range info.GetSearchAttributes().GetIndexedFields() {
		if name == AttributeActor {
			continue
		}
		v, err := shown(p)
		if err != nil {
			return nil, err
		}
		out.Attributes[name] = workflow.Attribute{Type: attributeTypeOf(p), Value: v}
	}
	return &out, nil
}

// shown is a payload as a member of an object, where nothing is null.
func shown(p *commonpb.Payload) (json.RawMessage, error) {
	v, err := decodePayload(p)
	if err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	if v == nil {
		return json.RawMessage("null"), nil
	}
	return v, nil
}

// textOf reads a field of a memo that holds text; "" is none.
func textOf(memo *commonpb.Memo, field string) string {
	var s string
	if json.Unmarshal(memo.GetFields()[field].GetData(), &s) != nil {
		return "" // a tenant's own, which happens to have the name
	}
	return s
}

func attributeTypeOf(p *commonpb.Payload) workflow.AttributeType {
	named, err := enumspb.IndexedValueTypeFromString(string(p.GetMetadata()[metadataType]))
	if err != nil {
		return workflow.AttributeType{}
	}
	for ours, theirs := range attributeTypes {
		if theirs == named {
			return ours
		}
	}
	return workflow.AttributeType{}
}
