package temporal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

// memoRevision is the field of an action's memo that tells which change of the
// schedule it comes from.
const memoRevision = "schedule_revision"

// Schedules implements ports.Schedules with Temporal's own. It speaks to the service
// itself, for the reasons of Dispatcher.
type Schedules struct{ conn *Connection }

var _ ports.Schedules = (*Schedules)(nil)

// NewSchedules returns the schedules behind the tenant connection.
func NewSchedules(conn *Connection) *Schedules { return &Schedules{conn: conn} }

func (s *Schedules) service() workflowservice.WorkflowServiceClient {
	return s.conn.tenant.WorkflowService()
}

// scheduled makes a call about schedules within a namespace, and translates what is
// said of them only.
func scheduled[Req, Res any](ctx context.Context, c *Connection, namespace string, call method[Req, Res], req *Req) (*Res, error) {
	ctx, err := c.within(ctx, namespace)
	if err != nil {
		return nil, err
	}
	res, err := invoke(ctx, c.cfg.CallTimeout, call, req)
	return res, scheduleFault(err)
}

// scheduleFault reads the refusals that are of schedules only.
func scheduleFault(err error) error {
	var exists *serviceerror.AlreadyExists
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &exists) || errors.As(err, &started) {
		return schedule.ErrExists.Because(err)
	}
	var refusal *serviceerror.FailedPrecondition
	if !errors.As(err, &refusal) {
		return err
	}
	switch {
	case strings.Contains(refusal.Message, "closed"): // it is deleted
		return schedule.ErrNotFound.Because(err)
	case strings.Contains(refusal.Message, "conflict token"):
		return fault.ErrStale.Because(err)
	case strings.Contains(refusal.Message, "backfillers"):
		return schedule.ErrBackfills.Because(err)
	}
	return err
}

// Create implements ports.Schedules.
func (s *Schedules) Create(ctx context.Context, namespace string, by authz.Actor, in schedule.Schedule) error {
	action := &workflowpb.NewWorkflowExecutionInfo{}
	setAction(action, in.ID, in.Action)
	request := requestID(ctx)
	if err := attribute(action, by, request); err != nil {
		return err
	}
	policies := &schedulepb.SchedulePolicies{}
	setPolicy(policies, in.Policy)
	_, err := scheduled(ctx, s.conn, namespace, s.service().CreateSchedule, &workflowservice.CreateScheduleRequest{
		Namespace: namespace, ScheduleId: in.ID, Identity: identity, RequestId: request,
		Schedule: &schedulepb.Schedule{
			Spec:     specProto(in.Spec),
			Action:   &schedulepb.ScheduleAction{Action: &schedulepb.ScheduleAction_StartWorkflow{StartWorkflow: action}},
			Policies: policies,
			State:    &schedulepb.ScheduleState{Paused: in.Paused, Notes: in.Note},
		},
	})
	return err
}

// attribute records on what an action starts whose it is, and which change made it
// what it is. What others have put there stays.
func attribute(action *workflowpb.NewWorkflowExecutionInfo, by authz.Actor, revision string) error {
	if by.Subject() == "" {
		return fault.ErrUnauthenticated
	}
	memo, attributes, err := attribution(by)
	if err != nil {
		return err
	}
	if memo.Fields[memoRevision], err = keywordPayload(revision); err != nil {
		return err
	}
	if action.GetMemo().GetFields() == nil {
		action.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{}}
	}
	delete(action.Memo.Fields, memoUser)
	maps.Copy(action.Memo.Fields, memo.Fields)
	if action.GetSearchAttributes().GetIndexedFields() == nil {
		action.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
	}
	maps.Copy(action.SearchAttributes.IndexedFields, attributes.IndexedFields)
	return nil
}

func (s *Schedules) describe(ctx context.Context, namespace, scheduleID string) (*workflowservice.DescribeScheduleResponse, error) {
	return scheduled(ctx, s.conn, namespace, s.service().DescribeSchedule, &workflowservice.DescribeScheduleRequest{
		Namespace: namespace, ScheduleId: scheduleID,
	})
}

// Describe implements ports.Schedules.
func (s *Schedules) Describe(ctx context.Context, namespace, scheduleID string) (schedule.Status, error) {
	res, err := s.describe(ctx, namespace, scheduleID)
	if err != nil {
		return schedule.Status{}, err
	}
	action, err := actionOf(res.GetSchedule().GetAction().GetStartWorkflow())
	if err != nil {
		return schedule.Status{}, fault.ErrInternal.Because(err)
	}
	state, info := res.GetSchedule().GetState(), res.GetInfo()
	return schedule.Status{
		Schedule: schedule.Schedule{
			ID: scheduleID, Spec: specOf(res.GetSchedule().GetSpec()), Action: action, Policy: policyOf(res.GetSchedule().GetPolicies()),
			Paused: state.GetPaused(), Note: state.GetNotes(),
		},
		Version: versionOf(res.GetConflictToken()),
		Next:    instants(info.GetFutureActionTimes()), Recent: runsOf(info.GetRecentActions()),
		CreatedAt: instant(info.GetCreateTime()), UpdatedAt: instant(info.GetUpdateTime()),
	}, nil
}

// versionOf reads the token by which Temporal tells one state of a schedule from the
// next. Its two schedulers count in it from 1, one with the lowest byte first and the
// other with the highest: the smaller of the two readings is the count.
func versionOf(token []byte) int64 {
	if len(token) != 8 {
		return 1 // it tells nothing: Temporal takes any change then
	}
	n := min(binary.BigEndian.Uint64(token), binary.LittleEndian.Uint64(token))
	return int64(max(n, 1) & (1<<63 - 1))
}

// List implements ports.Schedules.
func (s *Schedules) List(ctx context.Context, namespace string, r page.TokenRequest) (page.TokenPage[schedule.Summary], error) {
	res, err := scheduled(ctx, s.conn, namespace, s.service().ListSchedules, &workflowservice.ListSchedulesRequest{
		Namespace: namespace, MaximumPageSize: int32(r.Limit), NextPageToken: r.Token, //nolint:gosec // page.MaxLimit
	})
	if err != nil {
		return page.TokenPage[schedule.Summary]{}, err
	}
	out := page.TokenPage[schedule.Summary]{Items: make([]schedule.Summary, 0, len(res.GetSchedules()))}
	for _, e := range res.GetSchedules() {
		out.Items = append(out.Items, schedule.Summary{
			ID: e.GetScheduleId(), Type: e.GetInfo().GetWorkflowType().GetName(), Paused: e.GetInfo().GetPaused(), Note: e.GetInfo().GetNotes(),
			Next: instants(e.GetInfo().GetFutureActionTimes()), Recent: runsOf(e.GetInfo().GetRecentActions()),
		})
	}
	if len(res.GetNextPageToken()) > 0 {
		out.Next = res.GetNextPageToken()
	}
	return out, nil
}

// updateAttempts is how often a change that is meant for any version is tried while
// others change the schedule.
const updateAttempts = 5

// Update implements ports.Schedules.
func (s *Schedules) Update(ctx context.Context, namespace string, by authz.Actor, scheduleID string, version int64, c schedule.Change) error {
	revision := uuid.NewString()
	return s.rewrite(ctx, namespace, scheduleID, version, revision, func(is *schedulepb.Schedule) (bool, error) {
		return true, applyChange(is, scheduleID, by, revision, c)
	})
}

// rewrite reads the schedule, lets fn change it, and writes it back unless somebody
// else did so meanwhile. When fn says that there is nothing to change, it succeeds.
func (s *Schedules) rewrite(ctx context.Context, namespace, scheduleID string, version int64, revision string, fn func(*schedulepb.Schedule) (bool, error)) error {
	var err error
	for range updateAttempts {
		var was *workflowservice.DescribeScheduleResponse
		if was, err = s.describe(ctx, namespace, scheduleID); err != nil {
			return err
		}
		if err := fault.CheckVersion(versionOf(was.GetConflictToken()), version); err != nil {
			return err
		}
		is := proto.CloneOf(was.GetSchedule())
		if changed, err := fn(is); err != nil || !changed {
			return err
		}
		if _, err = scheduled(ctx, s.conn, namespace, s.service().UpdateSchedule, &workflowservice.UpdateScheduleRequest{
			Namespace: namespace, ScheduleId: scheduleID, Schedule: is, ConflictToken: was.GetConflictToken(),
			Identity: identity, RequestId: uuid.NewString(),
		}); err == nil {
			err = s.written(ctx, namespace, scheduleID, revision)
		}
		if !errors.Is(err, fault.ErrStale) || version != 0 {
			return err
		}
	}
	return err
}

// written fails with fault.ErrStale when a change was not made. Temporal's older
// scheduler takes a change that is too late with a yes, and drops it.
func (s *Schedules) written(ctx context.Context, namespace, scheduleID, revision string) error {
	is, err := s.describe(ctx, namespace, scheduleID)
	if err != nil {
		return err
	}
	mark, err := keywordPayload(revision)
	if err != nil {
		return err
	}
	found := is.GetSchedule().GetAction().GetStartWorkflow().GetMemo().GetFields()[memoRevision]
	if string(found.GetData()) != string(mark.GetData()) {
		return fault.ErrStale
	}
	return nil
}

func applyChange(is *schedulepb.Schedule, scheduleID string, by authz.Actor, revision string, c schedule.Change) error {
	action := is.GetAction().GetStartWorkflow()
	if action == nil {
		return fault.ErrInternal.Because(fmt.Errorf("schedule %q starts no workflow", scheduleID))
	}
	if c.Spec != nil {
		is.Spec = specProto(*c.Spec)
	}
	if c.Action != nil {
		setAction(action, scheduleID, *c.Action)
	}
	if c.Policy != nil {
		if is.Policies == nil {
			is.Policies = &schedulepb.SchedulePolicies{}
		}
		setPolicy(is.Policies, *c.Policy)
	}
	return attribute(action, by, revision)
}

// Pause implements ports.Schedules.
func (s *Schedules) Pause(ctx context.Context, namespace, scheduleID, note string) error {
	return s.patch(ctx, namespace, scheduleID, &schedulepb.SchedulePatch{Pause: noteOr(note, "Paused.")})
}

// Unpause implements ports.Schedules.
func (s *Schedules) Unpause(ctx context.Context, namespace, scheduleID, note string) error {
	return s.patch(ctx, namespace, scheduleID, &schedulepb.SchedulePatch{Unpause: noteOr(note, "Resumed.")})
}

// Hold implements ports.Schedules.
func (s *Schedules) Hold(ctx context.Context, namespace, scheduleID, note string) error {
	is, err := s.describe(ctx, namespace, scheduleID)
	if err != nil || is.GetSchedule().GetState().GetPaused() {
		return err
	}
	return s.Pause(ctx, namespace, scheduleID, note)
}

// Release implements ports.Schedules.
func (s *Schedules) Release(ctx context.Context, namespace, scheduleID, mark, note string) (bool, error) {
	is, err := s.describe(ctx, namespace, scheduleID)
	if err != nil {
		return false, err
	}
	if state := is.GetSchedule().GetState(); !state.GetPaused() || !strings.Contains(state.GetNotes(), mark) {
		return !state.GetPaused(), nil
	}
	if err := s.Unpause(ctx, namespace, scheduleID, note); err != nil {
		return false, err
	}
	return true, nil
}

// noteOr returns a note that is not empty: to Temporal an empty one means to leave the
// schedule as it is.
func noteOr(note, otherwise string) string {
	if note == "" {
		return otherwise
	}
	return note
}

// Trigger implements ports.Schedules.
func (s *Schedules) Trigger(ctx context.Context, namespace, scheduleID string, o schedule.Overlap) error {
	return s.patchOnce(ctx, namespace, scheduleID, &schedulepb.SchedulePatch{
		TriggerImmediately: &schedulepb.TriggerImmediatelyRequest{OverlapPolicy: overlaps[o]},
	})
}

// Backfill implements ports.Schedules.
func (s *Schedules) Backfill(ctx context.Context, namespace, scheduleID string, b schedule.Backfill, admit func(n int) error) (int, error) {
	from, to := timestamppb.New(b.From), timestamppb.New(b.To)
	// To Temporal the start of a list of times is not in it, and that of a backfill is.
	matching, err := scheduled(ctx, s.conn, namespace, s.service().ListScheduleMatchingTimes, &workflowservice.ListScheduleMatchingTimesRequest{
		Namespace: namespace, ScheduleId: scheduleID, StartTime: timestamppb.New(b.From.Add(-time.Nanosecond)), EndTime: to,
	})
	if err != nil {
		return 0, err
	}
	n := len(matching.GetStartTime())
	switch {
	case n == 0:
		return 0, nil
	case n > schedule.MaxBackfillRuns:
		return 0, schedule.ErrBackfillSize
	}
	if err := admit(n); err != nil {
		return 0, err
	}
	return n, s.patchOnce(ctx, namespace, scheduleID, &schedulepb.SchedulePatch{BackfillRequest: []*schedulepb.BackfillRequest{{
		StartTime: from, EndTime: to, OverlapPolicy: overlaps[b.Overlap],
	}}})
}

func (s *Schedules) patch(ctx context.Context, namespace, scheduleID string, p *schedulepb.SchedulePatch) error {
	_, err := scheduled(ctx, s.conn, namespace, s.service().PatchSchedule, s.patchOf(ctx, namespace, scheduleID, p))
	return err
}

// patchOnce makes a call that does not bear repetition: Temporal's newer scheduler
// heeds no request id.
func (s *Schedules) patchOnce(ctx context.Context, namespace, scheduleID string, p *schedulepb.SchedulePatch) error {
	within, err := s.conn.within(ctx, namespace)
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(within, s.conn.cfg.CallTimeout)
	defer cancel()
	_, err = s.service().PatchSchedule(within, s.patchOf(ctx, namespace, scheduleID, p))
	return scheduleFault(toFault(err))
}

func (*Schedules) patchOf(ctx context.Context, namespace, scheduleID string, p *schedulepb.SchedulePatch) *workflowservice.PatchScheduleRequest {
	return &workflowservice.PatchScheduleRequest{
		Namespace: namespace, ScheduleId: scheduleID, Patch: p, Identity: identity, RequestId: requestID(ctx),
	}
}

// Delete implements ports.Schedules.
func (s *Schedules) Delete(ctx context.Context, namespace, scheduleID string, version int64) error {
	was, err := s.describe(ctx, namespace, scheduleID)
	if err != nil {
		return err
	}
	if err := fault.CheckVersion(versionOf(was.GetConflictToken()), version); err != nil {
		return err
	}
	return s.remove(ctx, namespace, scheduleID)
}
