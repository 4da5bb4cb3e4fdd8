package cli

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/sdk"
)

func TestWorkflowBatch(t *testing.T) {
	t.Parallel()
	cancel := []string{"workflow", "batch", "cancel", "--org", "acme", "--query", "x", "--wait", "1m"}

	t.Run("Should say how many workflows it terminates before it does", func(t *testing.T) {
		is := is.New(t)
		for answer, terminates := range map[string]bool{"n\n": false, "y\n": true} {
			w := newWorld(t)
			w.typing(answer)
			_, _, err := w.run("workflow", "batch", "terminate", "--org", "acme", "--query", "x", "--reason", "stuck")
			is.True(strings.HasPrefix(err, "Terminate 2 running workflows of acme? They can clean nothing up. [y/N] "))
			is.Equal(strings.HasSuffix(w.last().line, "/workflow-batches/terminate"), terminates)
		}
	})

	t.Run("Should show how far it has come to whoever waits at a terminal", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.typing("")
		code, _, err := w.run(cancel...)
		is.Equal(code, 0)
		is.Equal(err, "7 of 7 done, 0 failed\n")
	})

	t.Run("Should fail when it has not reached all", func(t *testing.T) {
		for want, of := range map[string]func(*sdk.WorkflowBatch){
			"has not reached 2 of 7 workflows": func(b *sdk.WorkflowBatch) { b.Done, b.Failed = 5, 2 },
			"was stopped, or has failed":       func(b *sdk.WorkflowBatch) { b.State, b.Total, b.Done = sdk.WorkflowBatchStateFailed, 0, 0 },
		} {
			is := is.New(t)
			w := newWorld(t)
			b := aBatch(sdk.WorkflowBatchKindCancel, sdk.WorkflowBatchStateCompleted)
			of(&b)
			w.answer("GET /organizations/acme/workflow-batches/"+batchID, 200, b)
			code, out, err := w.run(cancel...)
			is.Equal(code, int(exitWorkflow))
			is.True(strings.Contains(out, batchID))
			is.True(strings.Contains(err, want))
		}
	})

	t.Run("Should tell one that still runs when the time to wait is over", func(t *testing.T) {
		is := is.New(t)
		w := newWorld(t)
		w.answer("GET /organizations/acme/workflow-batches/"+batchID, 200, aBatch(sdk.WorkflowBatchKindCancel, sdk.WorkflowBatchStateRunning))
		code, _, err := w.run(append(cancel[:len(cancel)-1:len(cancel)-1], "50ms")...)
		is.Equal(code, int(exitUnavailable))
		is.True(strings.Contains(err, "still runs"))
	})
}
