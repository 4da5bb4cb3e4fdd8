package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

var wholeCount = workflow.Count{Total: 1, ByStatus: map[workflow.Status]int64{workflow.Running: 1}}

func TestWorkflowLists(t *testing.T) {
	t.Parallel()
	query := "query=" + url.QueryEscape(goodQuery)

	t.Run("Should go on at Temporal's token, in the same list only", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		namespace := b.acme.Snapshot().Namespace
		first := b.do(request("GET", flowsURL+"?limit=1&"+query, b.admin, ""))
		is.Equal(first.Code, http.StatusOK)
		is.Equal(b.memory.listed, namespace+" "+goodQuery+" 1 ")
		var page struct {
			Next string `json:"next_cursor"`
		}
		is.NoErr(json.Unmarshal(first.Body.Bytes(), &page))
		is.True(page.Next != "")

		is.Equal(b.do(request("GET", flowsURL+"?"+query+"&cursor="+page.Next, b.admin, "")).Code, http.StatusOK)
		is.Equal(b.memory.listed, namespace+" "+goodQuery+" 50 temporal's own")
		for _, other := range []string{flowsURL + "?cursor=" + page.Next, flowsURL + "?query=x&cursor=" + page.Next, usersURL + "?cursor=" + page.Next[:43]} {
			got := b.do(request("GET", other, b.admin, ""))
			is.Equal(got.Code, http.StatusBadRequest)
		}
	})

	t.Run("Should count by status in one order", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := b.do(request("GET", acmeURL+"/workflow-count?group_by=status&"+query, b.admin, ""))
		is.Equal(got.Code, http.StatusOK)
		is.Equal(got.Body.String(), `{"by_status":[{"count":1,"status":"failed"},{"count":2,"status":"running"}],"count":3}`+"\n")
		is.Equal(b.memory.listed, b.acme.Snapshot().Namespace+" "+goodQuery+" true")
	})
}

func TestWorkflowControl(t *testing.T) {
	t.Parallel()

	t.Run("Should do what is asked to the run that is named", func(t *testing.T) {
		t.Parallel()
		const run = "0192d7c5-7e1f-7000-8000-000000000000"
		for path, c := range map[string]struct{ body, done string }{
			"/order%2F1/signal?run_id=" + run:    {`{"name":"approve","input":[{"n":1}]}`, "signal order/1 " + run + ` approve [{"n":1}]`},
			"/order%2F1/cancel?run_id=" + run:    {`{"reason":"why"}`, "cancel order/1 " + run + " why"},
			"/a/cancel":                          {`{}`, "cancel a  "},
			"/order%2F1/terminate?run_id=" + run: {`{"reason":"why"}`, "terminate order/1 " + run + " why"},
		} {
			is := is.New(t)
			b := setup(t)
			got := b.do(request("POST", flowsURL+path, b.admin, c.body))
			is.Equal(got.Code, http.StatusNoContent)
			is.Equal(b.memory.controlled, c.done)
		}
	})
}

func TestWorkflowMessages(t *testing.T) {
	t.Parallel()

	t.Run("Should show an answer as it is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := b.do(request("POST", flowsURL+"/order%2F1/query", b.admin, `{"name":"status","input":["x"]}`))
		is.Equal(got.Body.String(), `{"output":{"n":1.10}}`+"\n")
		is.Equal(b.memory.controlled, `query order/1  status ["x"]`)
	})

	t.Run("Should wait for the answer to an update only if asked to, in the run that took it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		const body = `{"name":"approve","update_id":"u1","input":[1]}`
		got := b.do(request("POST", flowsURL+"/a/update", b.admin, body))
		is.Equal(got.Body.String(), `{"run_id":"run","status":"accepted","update_id":"u1","workflow_id":"a"}`+"\n")
		is.Equal(b.memory.controlled, `update a  approve [1]`)
		got = b.do(request("POST", flowsURL+"/a/update?wait=7", b.admin, body))
		is.Equal(got.Body.String(), `{"output":true,"run_id":"run","status":"completed","update_id":"u1","workflow_id":"a"}`+"\n")
		is.Equal(b.memory.controlled, `update a  approve [1], wait a run 7s`)
	})

	t.Run("Should say that an update is taken whose answer can not be waited for now", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		update := func() *httptest.ResponseRecorder {
			return b.do(request("POST", flowsURL+"/a/update?wait=1", b.admin, `{"name":"add","update_id":"u"}`))
		}
		for _, passing := range []error{fault.ErrTimeout, fault.ErrUnavailable, errTooManyWaiting} {
			b.memory.answerFailure = passing
			is.Equal(update().Body.String(), `{"run_id":"run","status":"accepted","update_id":"u","workflow_id":"a"}`+"\n")
		}
		b.memory.answerFailure = fault.ErrNotFound
		is.Equal(update().Code, http.StatusNotFound)
	})

	t.Run("Should tell how an update stands", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		failed := toWorkflowUpdate("a", workflow.Update{ID: "u", RunID: "r", Done: true, Failure: &workflow.Failure{Message: "no stock", Type: "StockError"}})
		is.Equal(string(failed.Status), "failed")
		is.Equal([]string{failed.WorkflowID, failed.RunID, failed.UpdateID, failed.Failure.Message, *failed.Failure.Type}, []string{"a", "r", "u", "no stock", "StockError"})
		is.Equal(string(toWorkflowUpdate("a", workflow.Update{Done: true}).Status), "completed")
	})

	t.Run("Should start with a signal", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := b.do(request("POST", flowsURL, b.admin, `{"type":"Order","task_queue":"orders","signal":{"name":"add","input":[{"n":1}]}}`))
		is.Equal(got.Code, http.StatusCreated)
		is.Equal(*b.memory.started.Signal, workflow.Message{Name: "add", Input: []json.RawMessage{[]byte(`{"n":1}`)}})
	})
}

func TestWorkflowStartOptions(t *testing.T) {
	t.Parallel()

	t.Run("Should say which rule it is that the options break", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for options, broken := range map[string]string{
			`"cron_schedule":"@daily"`: "/cron_schedule unsupported",
			`"id_reuse_policy":"reject_duplicate","id_conflict_policy":"terminate_existing"`: "/id_conflict_policy combination",
			`"search_attributes":{"BulkheadActor":{"type":"keyword","value":"x"}}`:           "/search_attributes/BulkheadActor reserved",
			`"search_attributes":{"A":{"type":"int","value":"x"}}`:                           "/search_attributes/A/value type",
			`"memo":{"actor":"me"}`: "/memo/actor reserved",
		} {
			got := b.do(request("POST", flowsURL, b.admin, `{"type":"Order","task_queue":"orders",`+options+`}`))
			is.Equal(got.Code, http.StatusBadRequest)
			is.Equal(field(b.problem(got)), broken)
		}
	})

	t.Run("Should show the details of one execution", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		text, err := json.Marshal(toWorkflow(workflow.Execution{Details: &workflow.Details{
			Memo:       workflow.Memo{"note": json.RawMessage(`{"n":1.10}`)},
			Attributes: workflow.Attributes{"Young": {Value: json.RawMessage(`1`)}},
		}}))
		is.NoErr(err)
		var shown struct {
			Memo       json.RawMessage `json:"memo"`
			Attributes json.RawMessage `json:"search_attributes"`
			StartedBy  json.RawMessage `json:"started_by"`
		}
		is.NoErr(json.Unmarshal(text, &shown))
		is.Equal(string(shown.Memo), `{"note":{"n":1.10}}`)
		is.Equal(string(shown.Attributes), `{"Young":{"type":"unknown","value":1}}`)
		is.Equal(shown.StartedBy, nil)
	})
}

func TestWorkflowHistory(t *testing.T) {
	t.Parallel()

	t.Run("Should go on in the same history only", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		namespace := b.acme.Snapshot().Namespace
		first := b.do(request("GET", flowsURL+"/order%2F1/history?limit=1", b.admin, ""))
		is.Equal(first.Code, http.StatusOK)
		is.Equal(b.memory.listed, namespace+" order/1  1 ")
		var page struct {
			Run    string            `json:"run_id"`
			Events []json.RawMessage `json:"events"`
			Next   string            `json:"next_cursor"`
		}
		is.NoErr(json.Unmarshal(first.Body.Bytes(), &page))
		is.Equal(page.Run, "run")
		is.Equal(string(page.Events[0]), `{"at":"`+now.Format("2006-01-02T15:04:05.999999999Z07:00")+`","attributes":{"input":[{"n":1.10}]},"id":1,"type":"workflow_execution_started"}`)
		is.Equal(b.do(request("GET", flowsURL+"/order%2F1/history?cursor="+page.Next, b.admin, "")).Code, http.StatusOK)
		is.Equal(b.memory.listed, namespace+" order/1  50 temporal's own")
		for _, other := range []string{
			"/order%2F2/history?cursor=" + page.Next, "/order%2F1/history?view=tasks&cursor=" + page.Next,
			"/order%2F1/history?run_id=0192d7c5-7e1f-7000-8000-000000000000&cursor=" + page.Next,
		} {
			is.Equal(b.do(request("GET", flowsURL+other, b.admin, "")).Code, http.StatusBadRequest)
		}
	})

	t.Run("Should show tasks a page at a time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		var page struct {
			Tasks []struct {
				Event int64  `json:"event_id"`
				State string `json:"state"`
			} `json:"tasks"`
			Next string `json:"next_cursor"`
		}
		is.NoErr(json.Unmarshal(b.do(request("GET", flowsURL+"/a/history?view=tasks&limit=1", b.admin, "")).Body.Bytes(), &page))
		is.Equal(len(page.Tasks), 1)
		is.Equal(page.Tasks[0].State, "completed")
		next := page.Next
		page.Next = ""
		is.NoErr(json.Unmarshal(b.do(request("GET", flowsURL+"/a/history?view=tasks&limit=1&cursor="+next, b.admin, "")).Body.Bytes(), &page))
		is.Equal(page.Tasks[0].Event, int64(9))
		is.Equal(page.Next, "")
	})
}

func TestWorkflowReset(t *testing.T) {
	t.Parallel()

	t.Run("Should say which run goes on", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := b.do(request("POST", flowsURL+"/order%2F1/reset", b.admin, `{"to":"event","event_id":7,"reason":"mended"}`))
		is.Equal(got.Body.String(), `{"run_id":"other","workflow_id":"order/1"}`+"\n")
		is.Equal(b.memory.controlled, "reset order/1  event 7 mended")
		is.Equal(field(b.problem(b.do(request("POST", flowsURL+"/a/reset", b.admin, `{"to":"event","reason":"mended"}`)))), "/event_id required")
	})
}

func TestAllowList(t *testing.T) {
	t.Parallel()

	t.Run("Should hold starts to the rules that were set, for the version that was read", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		read := b.do(request("GET", acmeURL+"/allow-list", b.admin, ""))
		is.Equal(read.Code, http.StatusOK)
		set := request("PUT", acmeURL+"/allow-list", b.admin, `{"rules":[{"role":"*","workflow_types":["Report*"]}]}`)
		set.Header.Set("If-Match", read.Header().Get("ETag"))
		is.Equal(b.do(set).Code, http.StatusOK)
		got := b.do(request("POST", flowsURL, b.admin, goodFlow))
		is.Equal(got.Code, http.StatusForbidden)
		p := b.problem(got)
		is.Equal(p.Code, "workflow.not_allowed")
		is.Equal(p.Detail, `The organization's allow-list does not let the role admin start workflows of type "Order" on task queue "orders".`)
	})
}
