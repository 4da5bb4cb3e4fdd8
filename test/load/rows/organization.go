package rows

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/sdk"
	"github.com/bulkheadhq/bulkhead/test/harness"
	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// organizationActive creates organizations until they are active, which is when
// their namespace takes a workflow. By Temporal's SDK it is RegisterNamespace,
// and then a start until one is taken: a new namespace is not known at once to
// all parts of Temporal.
var organizationActive = bench.Comparison{
	Rows: []bench.Row{{Name: "org-active", Target: 1.3, Direction: bench.AtMost}},
	Measure: func(t *bench.T) []float64 {
		stack := harness.NewStack(t)
		ours := apiClient(t, stack, stack.OperatorKey)
		direct := dial(t, stack.Temporal.Address, "temporal-system", stack.Mint(t, "temporal-system:admin"))
		count := 5
		if t.Short {
			count = 1
		}
		var number atomic.Int64
		name := func() string { return fmt.Sprintf("bench-%d", number.Add(1)) }
		series := bench.Interleave(t,
			bench.Side{Name: "bulkhead", Round: func() bench.Sample {
				return each(t, count, func() error {
					return createOrganization(t.Context(), ours, name())
				})
			}},
			bench.Side{Name: "temporal sdk", Round: func() bench.Sample {
				return each(t, count, func() error {
					return registerNamespace(t.Context(), direct, name())
				})
			}},
		)
		return []float64{bench.Ratio(t, "ms", series[0], series[1])}
	},
}

const activeLimit = time.Minute

func createOrganization(ctx context.Context, api *sdk.Client, slug string) error {
	created, err := api.CreateOrganization(ctx, sdk.OrganizationCreate{
		Slug: slug, Admin: sdk.FirstAdmin{Email: "admin@" + slug + ".example"},
	}, activeLimit)
	if err == nil && created.Organization.State != sdk.OrganizationStateActive {
		err = fmt.Errorf("organization %s is %s", slug, created.Organization.State)
	}
	return err
}

// registerNamespace registers a namespace and starts a workflow in it as soon as
// that is possible.
func registerNamespace(ctx context.Context, c client.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, activeLimit)
	defer cancel()
	_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		return err
	}
	start, err := client.NewClientFromExistingWithContext(ctx, c, client.Options{Namespace: name})
	if err != nil {
		return err
	}
	defer start.Close()
	again := time.NewTicker(20 * time.Millisecond) // so that asking itself costs next to nothing
	defer again.Stop()
	for {
		one, done := context.WithTimeout(ctx, time.Second)
		_, err := start.ExecuteWorkflow(one, client.StartWorkflowOptions{TaskQueue: "nobody"}, "Order")
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}
