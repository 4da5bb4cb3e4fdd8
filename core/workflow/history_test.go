package workflow_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

func TestTasks(t *testing.T) {
	t.Parallel()
	tasks := workflow.Tasks{Items: []workflow.Task{{EventID: 5}, {EventID: 6}, {EventID: 12}}}

	t.Run("Should go through all of them, also when some are added", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		first, err := tasks.Page(page.TokenRequest{Limit: 2})
		is.NoErr(err)
		is.Equal(first.Items, tasks.Items[:2])
		more := workflow.Tasks{Items: append(tasks.Items[:3:3], workflow.Task{EventID: 20})}
		second, err := more.Page(page.TokenRequest{Limit: 2, Token: first.Next})
		is.NoErr(err)
		is.Equal(second.Items, more.Items[2:])
		is.Equal(second.Next, nil)
		all, err := tasks.Page(page.TokenRequest{Limit: 3})
		is.NoErr(err)
		is.Equal(len(all.Items), 3)
		is.Equal(all.Next, nil)
		_, err = tasks.Page(page.TokenRequest{Limit: 1, Token: []byte("x")})
		is.True(errors.Is(err, page.ErrCursor))
	})

	t.Run("Should know how long one took", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		at := time.Unix(100, 0)
		is.Equal(workflow.Task{ScheduledAt: at, StartedAt: at.Add(time.Second), ClosedAt: at.Add(3 * time.Second)}.Duration(), 2*time.Second)
		is.Equal(workflow.Task{ScheduledAt: at, ClosedAt: at.Add(3 * time.Second)}.Duration(), 3*time.Second)
		is.Equal(workflow.Task{ScheduledAt: at, StartedAt: at}.Duration(), time.Duration(0))
	})

	t.Run("Should tell the ends from the rest", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for s, closed := range map[workflow.TaskState]bool{
			{}: false, workflow.TaskScheduled: false, workflow.TaskStarted: false, workflow.TaskPaused: false, workflow.TaskCompleted: true,
			workflow.TaskFailed: true, workflow.TaskTimedOut: true, workflow.TaskCanceled: true, workflow.TaskTerminated: true,
		} {
			is.Equal(s.Closed(), closed)
		}
	})
}
