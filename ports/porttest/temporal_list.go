package porttest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// listing is the part of the contract of ports.Dispatcher that finds executions.
func listing(t *testing.T, s DispatcherSetup) {
	by := aMember()
	prefix := "listed/" + uuid.NewString()
	query := `WorkflowId STARTS_WITH "` + prefix + `"`
	const n = 5
	runs := map[string]string{}
	for i := range n {
		e, err := s.Dispatcher.Start(t.Context(), s.Namespace, by, workflow.Start{
			ID: prefix + "/" + string(rune('a'+i)), Type: WaitType, TaskQueue: s.TaskQueue,
		})
		if err != nil {
			t.Fatal(err)
		}
		runs[e.ID] = e.RunID
	}
	counted := func(query string, want map[workflow.Status]int64) error {
		c, err := s.Dispatcher.Count(t.Context(), s.Namespace, query, true)
		if err != nil {
			return err
		}
		total := int64(0)
		for status, m := range want {
			if total += m; c.ByStatus[status] != m {
				return fault.ErrUnavailable
			}
		}
		if c.Total != total || len(c.ByStatus) != len(want) {
			return fault.ErrUnavailable
		}
		return nil
	}

	t.Run("Should count what it lists, in all and by status", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(untilAvailable(t, func() error { return counted(query, map[workflow.Status]int64{workflow.Running: n}) }))
		c, err := s.Dispatcher.Count(t.Context(), s.Namespace, query, false)
		is.NoErr(err)
		is.Equal(c.Total, int64(n))
		is.Equal(c.ByStatus, nil)
		is.NoErr(s.Dispatcher.Terminate(t.Context(), s.Namespace, by, workflow.Target{ID: prefix + "/a"}, ""))
		is.NoErr(untilAvailable(t, func() error {
			return counted(query, map[workflow.Status]int64{workflow.Running: n - 1, workflow.Terminated: 1})
		}))
		is.NoErr(counted(query+` AND ExecutionStatus = "Failed"`, nil))
		all, err := s.Dispatcher.Count(t.Context(), s.Namespace, "", true)
		is.NoErr(err)
		is.True(all.Total >= n)
	})

	t.Run("Should list each execution once, page by page", func(t *testing.T) {
		is := is.New(t)
		seen := map[string]string{}
		for at := (page.TokenRequest{Limit: 2}); ; {
			p, err := s.Dispatcher.List(t.Context(), s.Namespace, query, at)
			is.NoErr(err)
			is.True(len(p.Items) <= 2)
			for _, e := range p.Items {
				_, twice := seen[e.ID]
				is.True(!twice)
				seen[e.ID] = e.RunID
				is.Equal(e.Type, WaitType)
				is.Equal(e.TaskQueue, s.TaskQueue)
				is.True(!e.StartedAt.IsZero())
				is.Equal(e.Status == workflow.Terminated, e.ID == prefix+"/a")
				is.Equal(e.ClosedAt.IsZero(), e.Status == workflow.Running)
			}
			if at.Token = p.Next; p.Next == nil {
				break
			}
		}
		is.Equal(seen, runs)
	})

	t.Run("Should say that it is the query which is wrong", func(t *testing.T) {
		for _, query := range []string{
			"WorkflowId =", "=", "Nothing = 1", "WorkflowId = 'x' GROUP BY WorkflowId", "'; DROP TABLE x", strings.Repeat("(", 500),
			"StartTime > 'yesterday'",
		} {
			is := is.New(t)
			_, err := s.Dispatcher.List(t.Context(), s.Namespace, query, page.TokenRequest{Limit: 1})
			is.True(errors.Is(err, workflow.ErrQuery))
			for _, byStatus := range []bool{true, false} {
				_, err = s.Dispatcher.Count(t.Context(), s.Namespace, query, byStatus)
				is.True(errors.Is(err, workflow.ErrQuery))
			}
		}
	})

	t.Run("Should find nothing that is another's", func(t *testing.T) {
		is := is.New(t)
		p, err := s.Dispatcher.List(t.Context(), s.Other, query, page.TokenRequest{Limit: 1})
		is.NoErr(err)
		is.Equal(len(p.Items), 0)
		c, err := s.Dispatcher.Count(t.Context(), s.Other, query, false)
		is.NoErr(err)
		is.Equal(c.Total, int64(0))
		_, err = s.Dispatcher.List(t.Context(), s.Absent, "", page.TokenRequest{Limit: 1})
		is.True(errors.Is(err, workflow.ErrNotFound))
		_, err = s.Dispatcher.Count(t.Context(), s.Absent, "", false)
		is.True(errors.Is(err, workflow.ErrNotFound))
	})
}
