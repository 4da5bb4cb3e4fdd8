package rows

import (
	"go.temporal.io/sdk/client"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// workflowStart starts workflows of one tenant, through Bulkhead's API and
// through Temporal's SDK with the tenant's own token: in the same namespace, with
// nobody who serves them.
var workflowStart = bench.Comparison{
	Rows: []bench.Row{{Name: "workflow-start", Target: 1.3, Direction: bench.AtMost}},
	Measure: func(t *bench.T) []float64 {
		stack := harness.NewStack(t)
		tenant := stack.NewTenant(t, "bench")
		ours := apiClient(t, stack, tenant.Key)
		token, err := ours.Token(t.Context(), sdk.TokenRequest{})
		if err != nil {
			t.Fatal(err)
		}
		direct := dial(t, token.TemporalAddress, token.Namespace, token.Token)
		starts := 200
		if t.Short {
			starts = 20
		}
		series := bench.Interleave(t,
			bench.Side{Name: "bulkhead", Round: func() bench.Sample {
				return each(t, starts, func() error {
					_, err := ours.StartWorkflow(t.Context(), "bench", sdk.WorkflowStart{Type: "Order", TaskQueue: "nobody"})
					return err
				})
			}},
			bench.Side{Name: "temporal sdk", Round: func() bench.Sample {
				return each(t, starts, func() error {
					_, err := direct.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "nobody"}, "Order")
					return err
				})
			}},
		)
		return []float64{bench.Ratio(t, "ms", series[0], series[1])}
	},
}
