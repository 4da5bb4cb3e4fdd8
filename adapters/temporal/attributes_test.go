package temporal_test

import (
	"encoding/json"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// attributes registers a search attribute of each type, and returns values of them
// once they can be started with.
func (b bundle) attributes(t *testing.T, namespace string) workflow.Attributes {
	t.Helper()
	_, err := b.conn.System().OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace,
		SearchAttributes: map[string]enums.IndexedValueType{
			"Customer": enums.INDEXED_VALUE_TYPE_KEYWORD, "Tags": enums.INDEXED_VALUE_TYPE_KEYWORD_LIST, "Note": enums.INDEXED_VALUE_TYPE_TEXT,
			"Cents": enums.INDEXED_VALUE_TYPE_INT, "Rate": enums.INDEXED_VALUE_TYPE_DOUBLE, "Paid": enums.INDEXED_VALUE_TYPE_BOOL,
			"DueAt": enums.INDEXED_VALUE_TYPE_DATETIME,
		},
	})
	if err != nil {
		t.Fatalf("register search attributes: %v", err)
	}
	value := func(kind workflow.AttributeType, v string) workflow.Attribute {
		return workflow.Attribute{Type: kind, Value: json.RawMessage(v)}
	}
	all := workflow.Attributes{
		"Customer": value(workflow.Keyword, `"c-42"`), "Tags": value(workflow.KeywordList, `["a","b"]`), "Note": value(workflow.Text, `"three small words"`),
		"Cents": value(workflow.Int, `995`), "Rate": value(workflow.Double, `1.5`), "Paid": value(workflow.Bool, `true`),
		"DueAt": value(workflow.Datetime, `"2026-07-01T12:00:00Z"`),
	}
	eventually(t, "the search attributes can be used", func() bool {
		_, err := b.dispatcher.Start(t.Context(), namespace, member(), workflow.Start{ID: newID(), Type: "Any", TaskQueue: "nobody", Attributes: all})
		return err == nil
	})
	return all
}
