package workflow_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func TestCheckQuery(t *testing.T) {
	t.Parallel()

	t.Run("Should leave all to Temporal but what is too long, can not be read, or makes it fall over", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for query, rule := range map[string]string{
			"": "", strings.Repeat("x", workflow.MaxQueryLen): "", strings.Repeat("x", workflow.MaxQueryLen+1): "max_length",
			"a\nb": "characters", "\xff": "characters", "no sense": "",
			"WorkflowId = 'x' UNION SELECT 1": "format", "(union)": "format", "x/**/uNiOn/**/y": "format",
			"WorkflowId = 'x\\'' UNION SELECT 1 OR 'y'": "format", "WorkflowId = 'it''s' union": "format", "`a\\` union": "format",
			"WorkflowId = 'trade union'": "", `Customer = "union"`: "", "`Union` = 1": "", "Reunion = 1 AND Union_Id = 2": "",
			`WorkflowId = 'x\' union'`: "",
		} {
			judge(is, workflow.CheckQuery(query), "query", rule)
		}
	})
}
