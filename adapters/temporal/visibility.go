package temporal

import (
	"context"
	"encoding/json"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// groupByStatus is the clause by which Temporal counts by status.
const groupByStatus = "GROUP BY ExecutionStatus"

// List returns a page of executions in the order of Temporal's visibility store.
func (d *Dispatcher) List(ctx context.Context, namespace, query string, p page.TokenRequest) (page.TokenPage[workflow.Execution], error) {
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return page.TokenPage[workflow.Execution]{}, err
	}
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().ListWorkflowExecutions, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: namespace, Query: query, PageSize: int32(p.Limit), NextPageToken: p.Token, //nolint:gosec // at most page.MaxLimit
	})
	if err != nil {
		return page.TokenPage[workflow.Execution]{}, queryFault(err)
	}
	out := page.TokenPage[workflow.Execution]{Next: res.GetNextPageToken()}
	for _, info := range res.GetExecutions() {
		out.Items = append(out.Items, execution(info))
	}
	return out, nil
}

// Count counts executions.
func (d *Dispatcher) Count(ctx context.Context, namespace, query string, byStatus bool) (workflow.Count, error) {
	ctx, err := d.conn.within(ctx, namespace)
	if err != nil {
		return workflow.Count{}, err
	}
	if byStatus {
		query = strings.TrimSpace(query + " " + groupByStatus)
	}
	res, err := invoke(ctx, d.conn.cfg.CallTimeout, d.service().CountWorkflowExecutions, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: query,
	})
	if err != nil {
		return workflow.Count{}, queryFault(err)
	}
	out := workflow.Count{Total: res.GetCount()}
	if byStatus {
		out.ByStatus = map[workflow.Status]int64{}
		for _, g := range res.GetGroups() {
			out.ByStatus[statusNamed(g.GetGroupValues())] += g.GetCount()
		}
	}
	return out, nil
}

// queryFault says that it is the query which Temporal refuses: there is nothing
// else in the request that a caller has made.
func queryFault(err error) error {
	if fault.IsKind(err, fault.Invalid) {
		return workflow.ErrQuery.Because(err)
	}
	return err
}

// statusNamed reads the status that a group of counted executions has.
func statusNamed(group []*commonpb.Payload) workflow.Status {
	var name string
	if len(group) != 1 || json.Unmarshal(group[0].GetData(), &name) != nil {
		return workflow.Unknown
	}
	s, err := enumspb.WorkflowExecutionStatusFromString(name)
	if err != nil {
		return workflow.Unknown
	}
	return statusOf(s)
}
