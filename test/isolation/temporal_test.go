package isolation

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	schedulepb "go.temporal.io/api/schedule/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

// frontendServices are the services of Temporal's frontend that the product's
// own dependencies know. Its administration, which only the server's module
// knows, is held closed by the tests of cmd/bulkhead-dev.
var frontendServices = []protoreflect.FileDescriptor{
	workflowservice.File_temporal_api_workflowservice_v1_service_proto,
	operatorservice.File_temporal_api_operatorservice_v1_service_proto,
}

// answersAnyone are the calls that Temporal answers without a token: they say
// which release it is, and nothing of anybody's.
var answersAnyone = []string{"GetSystemInfo"}

// possessions are what the victim has in Temporal.
type possessions struct {
	texts map[string]string // by the name of a request's field
	bytes map[string][]byte
}

// calls returns every method of the frontend.
func calls() []protoreflect.MethodDescriptor {
	var all []protoreflect.MethodDescriptor
	for _, file := range frontendServices {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				all = append(all, methods.Get(j))
			}
		}
	}
	return all
}

// newMessage returns an empty message of a type.
func newMessage(t testing.TB, d protoreflect.MessageDescriptor) protoreflect.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New()
}

// deepest is how far inside a request its fields are filled.
const deepest = 4

// fill puts what the victim has into every field of a request that takes it.
func (p possessions) fill(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(f.Name())
		switch {
		case f.IsMap():
		case f.IsList():
			if f.Kind() == protoreflect.MessageKind && depth < deepest {
				item := m.Mutable(f).List().AppendMutable().Message()
				p.fill(item, depth+1)
			}
		case f.Kind() == protoreflect.StringKind:
			if text, ok := p.texts[name]; ok {
				m.Set(f, protoreflect.ValueOfString(text))
			}
		case f.Kind() == protoreflect.BytesKind:
			if b, ok := p.bytes[name]; ok {
				m.Set(f, protoreflect.ValueOfBytes(b))
			}
		case f.Kind() == protoreflect.MessageKind && depth < deepest && f.ContainingOneof() == nil:
			p.fill(m.Mutable(f).Message(), depth+1)
		}
	}
}

// request is the request of a method about a namespace, with all that the victim
// has in its other fields.
func (p possessions) request(t testing.TB, method protoreflect.MethodDescriptor, namespace string) proto.Message {
	t.Helper()
	m := newMessage(t, method.Input())
	p.fill(m, 0)
	if f := m.Descriptor().Fields().ByName("namespace"); f != nil && f.Kind() == protoreflect.StringKind {
		m.Set(f, protoreflect.ValueOfString(namespace))
	}
	return m.Interface()
}

// takesNamespace tells whether a method's request names a namespace.
func takesNamespace(method protoreflect.MethodDescriptor) bool {
	f := method.Input().Fields().ByName("namespace")
	return f != nil && f.Kind() == protoreflect.StringKind
}

func fullName(method protoreflect.MethodDescriptor) string {
	return fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
}

// callLimit ends the calls that wait for work, on the attacker's own namespace.
const callLimit = 300 * time.Millisecond

// invoke makes a call and returns what came back as text.
func invoke(ctx context.Context, t testing.TB, conn *grpc.ClientConn, method protoreflect.MethodDescriptor, in proto.Message) (string, error) {
	t.Helper()
	out := newMessage(t, method.Output()).Interface()
	err := conn.Invoke(ctx, fullName(method), in, out)
	return prototext.Format(out), err
}

// taskLimit is for how long a workflow task may be kept: the longest that Temporal
// grants. One that runs out writes to its workflow's history, which would be taken for
// what an attacker has done.
const taskLimit = 2 * time.Minute

// possess gives the party a running workflow whose task a worker has taken, a
// schedule, and a page of each list, and returns their names.
func (w *world) possess(t testing.TB, p *party) possessions {
	t.Helper()
	service := workflowservice.NewWorkflowServiceClient(w.frontend(t))
	ctx, cancel := context.WithTimeout(bearing(t.Context(), w.token(t, p, "write")), requestLimit)
	defer cancel()
	queue, id, schedule := p.word("task queue"), p.word("workflow id"), p.word("schedule id")
	started, err := service.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: p.Namespace, WorkflowId: id, RequestId: id, WorkflowType: &commonpb.WorkflowType{Name: p.word("workflow type")},
		TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, Input: jsonPayloads(p.word("workflow input")),
		WorkflowTaskTimeout: durationpb.New(taskLimit),
	})
	if err != nil {
		t.Fatal(err)
	}
	task, err := service.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
		Namespace: p.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, Identity: "victim",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = service.CreateSchedule(ctx, &workflowservice.CreateScheduleRequest{
		Namespace: p.Namespace, ScheduleId: schedule, RequestId: schedule, Schedule: &schedulepb.Schedule{
			Spec: &schedulepb.ScheduleSpec{}, Action: &schedulepb.ScheduleAction{Action: &schedulepb.ScheduleAction_StartWorkflow{
				StartWorkflow: &workflowpb.NewWorkflowExecutionInfo{
					WorkflowId: p.word("workflow id"), WorkflowType: &commonpb.WorkflowType{Name: p.word("workflow type")},
					TaskQueue: &taskqueuepb.TaskQueue{Name: queue},
				},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	history, err := service.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: p.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: started.GetRunId()}, MaximumPageSize: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return possessions{
		texts: map[string]string{
			"namespace": p.Namespace, "workflow_id": id, "run_id": started.GetRunId(), "first_execution_run_id": started.GetRunId(),
			"schedule_id": schedule, "request_id": id, "activity_id": "1", "operation_id": id, "query": "WorkflowId = '" + id + "'",
			"name": queue, "job_id": id, "build_id": id, "deployment_name": queue, "signal_name": "signal", "identity": "attacker",
			"worker_instance_key": id, "sticky_task_queue": queue,
		},
		bytes: map[string][]byte{"task_token": task.GetTaskToken(), "next_page_token": history.GetNextPageToken()},
	}
}

// stateOf is what Temporal shows of the party's namespace, but for what the
// clock changes.
func (w *world) stateOf(t testing.TB, p *party) string {
	t.Helper()
	service := workflowservice.NewWorkflowServiceClient(w.frontend(t))
	ctx, cancel := context.WithTimeout(bearing(t.Context(), w.stack.SystemToken(t)), requestLimit)
	defer cancel()
	list, err := service.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: p.Namespace, PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range list.GetExecutions() {
		now, err := service.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: p.Namespace, Execution: e.GetExecution()})
		if err != nil {
			t.Fatal(err)
		}
		info := now.GetWorkflowExecutionInfo()
		lines = append(lines, fmt.Sprint(info.GetExecution(), info.GetStatus(), info.GetHistoryLength()))
	}
	schedules, err := service.ListSchedules(ctx, &workflowservice.ListSchedulesRequest{Namespace: p.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range schedules.GetSchedules() {
		lines = append(lines, s.GetScheduleId())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// tokens are what an attacker may send to Temporal; none opens the victim's.
func (w *world) tokens(t testing.TB) map[string]string {
	t.Helper()
	write := w.token(t, w.a, "write")
	parts := strings.Split(write, ".")
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"aud":"temporal","exp":%d,"iat":%d,"permissions":["%s:write","temporal-system:admin"],"sub":"attacker"}`,
		time.Now().Add(time.Hour).Unix(), time.Now().Unix(), w.b.Namespace)
	return map[string]string{
		"a token to write": write, "a token to read": w.token(t, w.a, "read"), "no token": "", "a word": "garbage",
		"an API key":                         strings.TrimPrefix(w.attackers[1].header[0], "Bearer "),
		"a forged token without a signature": encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode([]byte(claims)) + ".",
		"a token with other claims":          parts[0] + "." + encode([]byte(claims)) + "." + parts[2],
	}
}

// refusedBy tells whether Temporal has refused for want of permission.
func refusedBy(err error) bool {
	return status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated
}

// temporal attacks Temporal's own frontend, and returns the number of attacks.
func (w *world) temporal(t *testing.T) (cases int) {
	t.Helper()
	theirs := w.possess(t, w.b)
	var before string
	harness.Eventually(t, "the victim's executions are listed", func() bool {
		before = w.stateOf(t, w.b)
		return strings.Contains(before, theirs.texts["workflow_id"]) && strings.Contains(before, theirs.texts["schedule_id"])
	})
	conn, tokens := w.frontend(t), w.tokens(t)
	secrets := append(slices.Clone(w.hidden[w.a].all), w.b.secrets...)
	// What the attacker sends, now or earlier, is known already.
	known := fmt.Sprint(theirs.texts)
	leaks := func(t *testing.T, what, got string) {
		t.Helper()
		for _, s := range secrets {
			if len(s.text) >= leastSecret && strings.Contains(got, s.text) && !strings.Contains(known, s.text) {
				t.Errorf("%s shows the victim's %s %q", what, s.what, s.text)
			}
		}
	}
	call := func(t *testing.T, method protoreflect.MethodDescriptor, token string, in proto.Message, limit time.Duration) (string, error) {
		t.Helper()
		cases++
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if token != "" {
			ctx = bearing(ctx, token)
		}
		return invoke(ctx, t, conn, method, in)
	}

	t.Run("Should refuse every call on another namespace, with every token", func(t *testing.T) {
		for _, method := range calls() {
			if slices.Contains(answersAnyone, string(method.Name())) {
				continue
			}
			for _, namespace := range []string{w.b.Namespace, w.system.Namespace, "temporal-system", ""} {
				if !takesNamespace(method) && namespace != w.b.Namespace {
					continue
				}
				for name, token := range tokens {
					in := theirs.request(t, method, namespace)
					got, err := call(t, method, token, in, requestLimit)
					if !refusedBy(err) {
						t.Errorf("%s on %q with %s: %v %s", method.Name(), namespace, name, err, got)
					}
					leaks(t, string(method.Name()), got+fmt.Sprint(err))
				}
			}
		}
	})

	t.Run("Should show nothing of another through one's own namespace", func(t *testing.T) {
		for _, method := range calls() {
			if !takesNamespace(method) || method.Name() == "ShutdownWorker" {
				continue
			}
			in := theirs.request(t, method, w.a.Namespace)
			got, err := call(t, method, tokens["a token to write"], in, callLimit)
			leaks(t, string(method.Name()), got+fmt.Sprint(err))
		}
	})

	// Were it not so, a frontend that refuses everything would pass.
	t.Run("Should be open to its owner", func(t *testing.T) {
		for name, token := range map[string]string{"a token to write": tokens["a token to write"], "a token to read": tokens["a token to read"]} {
			for _, method := range calls() {
				if method.Name() != "ListWorkflowExecutions" && method.Name() != "DescribeNamespace" {
					continue
				}
				in := newMessage(t, method.Input())
				in.Set(method.Input().Fields().ByName("namespace"), protoreflect.ValueOfString(w.a.Namespace))
				if _, err := call(t, method, token, in.Interface(), requestLimit); err != nil {
					t.Errorf("%s with %s: %v", method.Name(), name, err)
				}
			}
		}
		if err := w.command(t, w.reach(w.a.Namespace, theirs)["a child workflow"]); err != nil {
			t.Errorf("a child workflow in one's own namespace: %v", err)
		}
	})

	t.Run("Should refuse commands that reach into another namespace", func(t *testing.T) {
		for name, command := range w.reach(w.b.Namespace, theirs) {
			cases++
			if w.command(t, command) == nil {
				t.Errorf("%s into another namespace is accepted", name)
			}
		}
	})

	t.Run("Should refuse the same through Temporal's HTTP API", func(t *testing.T) {
		for _, method := range calls() {
			if slices.Contains(answersAnyone, string(method.Name())) {
				continue
			}
			for _, route := range routes(method) {
				for name, token := range tokens {
					cases++
					code, body := w.web(t, route, theirs, token)
					if code != http.StatusForbidden && code != http.StatusUnauthorized {
						t.Errorf("%s %s with %s: %d %.300s", route.verb, route.path, name, code, body)
					}
				}
			}
		}
	})

	t.Run("Should leave the other namespace as it was", func(t *testing.T) {
		if after := w.stateOf(t, w.b); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
	return cases
}

// reach are the commands by which a workflow reaches into a namespace.
func (*world) reach(namespace string, theirs possessions) map[string]*commandpb.Command {
	id, run := theirs.texts["workflow_id"], theirs.texts["run_id"]
	return map[string]*commandpb.Command{
		"a child workflow": {
			CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{
				StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{
					Namespace:  namespace, //nolint:staticcheck // deprecated fields are an attacker's, too
					WorkflowId: "smuggled", WorkflowType: &commonpb.WorkflowType{Name: "Smuggled"},
					TaskQueue: &taskqueuepb.TaskQueue{Name: theirs.texts["name"]},
				},
			},
		},
		"a signal": {
			CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
				SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
					Namespace: namespace, //nolint:staticcheck // deprecated fields are an attacker's, too
					Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: run}, SignalName: "smuggled",
				},
			},
		},
		"a cancellation": {
			CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes{
				RequestCancelExternalWorkflowExecutionCommandAttributes: &commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
					Namespace:  namespace, //nolint:staticcheck // deprecated fields are an attacker's, too
					WorkflowId: id, RunId: run,
				},
			},
		},
		"a Nexus operation": {
			CommandType: enumspb.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION,
			Attributes: &commandpb.Command_ScheduleNexusOperationCommandAttributes{
				ScheduleNexusOperationCommandAttributes: &commandpb.ScheduleNexusOperationCommandAttributes{
					Endpoint: namespace, Service: "smuggled", Operation: "smuggled",
				},
			},
		},
	}
}

// command has the attacker's worker answer a workflow task of its own with a
// command that is not its own to give.
func (w *world) command(t *testing.T, command *commandpb.Command) error {
	t.Helper()
	service := workflowservice.NewWorkflowServiceClient(w.frontend(t))
	ctx, cancel := context.WithTimeout(bearing(t.Context(), w.token(t, w.a, "write")), requestLimit)
	defer cancel()
	queue := randomWord(12)
	_, err := service.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: w.a.Namespace, WorkflowId: queue, RequestId: queue, WorkflowType: &commonpb.WorkflowType{Name: "Attack"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, WorkflowTaskTimeout: durationpb.New(taskLimit),
	})
	if err != nil {
		t.Fatal(err)
	}
	task, err := service.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
		Namespace: w.a.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = service.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: w.a.Namespace, TaskToken: task.GetTaskToken(), Commands: []*commandpb.Command{command},
	})
	return err
}

// route is a way to make a call through Temporal's HTTP API.
type route struct{ verb, path string }

// routes are the ways that a method declares.
func routes(method protoreflect.MethodDescriptor) (all []route) {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		for verb, path := range map[string]string{
			http.MethodGet: r.GetGet(), http.MethodPost: r.GetPost(), http.MethodPut: r.GetPut(),
			http.MethodDelete: r.GetDelete(), http.MethodPatch: r.GetPatch(),
		} {
			if path != "" {
				all = append(all, route{verb, path})
			}
		}
	}
	return all
}

var placeholder = regexp.MustCompile(`\{([^}]+)\}`)

// web makes a call on the victim's namespace through the HTTP API.
func (w *world) web(t testing.TB, r route, theirs possessions, token string) (int, string) {
	t.Helper()
	path := placeholder.ReplaceAllStringFunc(r.path, func(name string) string {
		name = strings.Trim(name, "{}")
		if text, ok := theirs.texts[name[strings.LastIndexByte(name, '.')+1:]]; ok {
			return text
		}
		return "x"
	})
	by := &credential{}
	if token != "" {
		by.header = bearer(token)
	}
	send := &request{method: r.verb, path: path}
	if r.verb != http.MethodGet && r.verb != http.MethodDelete {
		send.body = "{}"
	}
	there := *w
	there.url = "http://" + w.stack.Temporal.HTTPAddress
	got, err := there.do(t.Context(), send, by)
	if err != nil {
		t.Fatalf("%s %s: %v", r.verb, path, err)
	}
	return got.status, string(got.body)
}
