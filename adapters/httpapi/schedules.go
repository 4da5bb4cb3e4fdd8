package httpapi

import (
	"context"
	"net/url"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/schedule"
)

// versionedSchedule shows a schedule with the tag of its version.
func (h *handlers) versionedSchedule(org id.Org, s schedule.Status) gen.ScheduleJSONResponse {
	body := toSchedule(s)
	body.Etag = h.etag(org, "schedule "+s.ID, s.Version)
	return gen.ScheduleJSONResponse{Body: body, Headers: gen.ScheduleResponseHeaders{ETag: body.Etag}}
}

// CreateSchedule makes a schedule.
func (h *handlers) CreateSchedule(ctx context.Context, req gen.CreateScheduleRequestObject) (gen.CreateScheduleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	in, err := fromScheduleCreate(*req.Body)
	if err != nil {
		return nil, err
	}
	s, err := h.Schedules.Create(ctx, by, org, in)
	if err != nil {
		return nil, err
	}
	answer := h.versionedSchedule(org, s)
	return gen.CreateSchedule201JSONResponse{Body: answer.Body, Headers: gen.CreateSchedule201ResponseHeaders{
		Location: organizationsPath + org.String() + schedulesPath + url.PathEscape(s.ID), ETag: answer.Headers.ETag,
	}}, nil
}

// ListSchedules lists the schedules of an organization.
func (h *handlers) ListSchedules(ctx context.Context, req gen.ListSchedulesRequestObject) (gen.ListSchedulesResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listSchedules", org)
	asked, err := l.requestToken(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Schedules.List(ctx, by, org, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListSchedules200JSONResponse{Items: each(p.Items, toScheduleSummary), NextCursor: l.nextToken(p.Next)}, nil
}

// GetSchedule shows a schedule.
func (h *handlers) GetSchedule(ctx context.Context, req gen.GetScheduleRequestObject) (gen.GetScheduleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	s, err := h.Schedules.Get(ctx, by, org, req.ScheduleID)
	if err != nil {
		return nil, err
	}
	return gen.GetSchedule200JSONResponse{ScheduleJSONResponse: h.versionedSchedule(org, s)}, nil
}

// UpdateSchedule changes a schedule.
func (h *handlers) UpdateSchedule(ctx context.Context, req gen.UpdateScheduleRequestObject) (gen.UpdateScheduleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, "schedule "+req.ScheduleID)
	if err != nil {
		return nil, err
	}
	change, err := fromScheduleUpdate(*req.Body)
	if err != nil {
		return nil, err
	}
	s, err := h.Schedules.Update(ctx, by, org, req.ScheduleID, version, change)
	if err != nil {
		return nil, err
	}
	return gen.UpdateSchedule200JSONResponse{ScheduleJSONResponse: h.versionedSchedule(org, s)}, nil
}

// DeleteSchedule deletes a schedule.
func (h *handlers) DeleteSchedule(ctx context.Context, req gen.DeleteScheduleRequestObject) (gen.DeleteScheduleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	version, err := h.ifMatch(req.Params.IfMatch, org, "schedule "+req.ScheduleID)
	if err != nil {
		return nil, err
	}
	if err := h.Schedules.Delete(ctx, by, org, req.ScheduleID, version); err != nil {
		return nil, err
	}
	return gen.DeleteSchedule204Response{}, nil
}

// PauseSchedule pauses a schedule.
func (h *handlers) PauseSchedule(ctx context.Context, req gen.PauseScheduleRequestObject) (gen.PauseScheduleResponseObject, error) {
	answer, err := h.moveSchedule(ctx, req.Org, req.ScheduleID, req.Body, h.Schedules.Pause)
	if err != nil {
		return nil, err
	}
	return gen.PauseSchedule200JSONResponse{ScheduleJSONResponse: answer}, nil
}

// ResumeSchedule lets a schedule go on.
func (h *handlers) ResumeSchedule(ctx context.Context, req gen.ResumeScheduleRequestObject) (gen.ResumeScheduleResponseObject, error) {
	answer, err := h.moveSchedule(ctx, req.Org, req.ScheduleID, req.Body, h.Schedules.Resume)
	if err != nil {
		return nil, err
	}
	return gen.ResumeSchedule200JSONResponse{ScheduleJSONResponse: answer}, nil
}

// scheduleMove pauses a schedule or lets it go on.
type scheduleMove func(ctx context.Context, by authz.Actor, o id.Org, scheduleID, note string) (schedule.Status, error)

func (h *handlers) moveSchedule(ctx context.Context, ref, scheduleID string, body *gen.ScheduleNote, move scheduleMove) (gen.ScheduleJSONResponse, error) {
	by, org, err := h.organization(ctx, ref)
	if err != nil {
		return gen.ScheduleJSONResponse{}, err
	}
	s, err := move(ctx, by, org, scheduleID, orZero(orZero(body).Note))
	if err != nil {
		return gen.ScheduleJSONResponse{}, err
	}
	return h.versionedSchedule(org, s), nil
}

// PauseAllSchedules begins to pause all schedules of an organization.
func (h *handlers) PauseAllSchedules(ctx context.Context, req gen.PauseAllSchedulesRequestObject) (gen.PauseAllSchedulesResponseObject, error) {
	answer, err := h.moveAllSchedules(ctx, req.Org, req.Body, h.Schedules.PauseAll)
	if err != nil {
		return nil, err
	}
	return gen.PauseAllSchedules202JSONResponse{OperationBegunJSONResponse: answer}, nil
}

// ResumeAllSchedules begins to let go on what was paused with all schedules.
func (h *handlers) ResumeAllSchedules(ctx context.Context, req gen.ResumeAllSchedulesRequestObject) (gen.ResumeAllSchedulesResponseObject, error) {
	answer, err := h.moveAllSchedules(ctx, req.Org, req.Body, h.Schedules.ResumeAll)
	if err != nil {
		return nil, err
	}
	return gen.ResumeAllSchedules202JSONResponse{OperationBegunJSONResponse: answer}, nil
}

// allSchedulesMove begins to pause all schedules or to let them go on.
type allSchedulesMove func(ctx context.Context, by authz.Actor, o id.Org, note string) (operation.Operation, error)

func (h *handlers) moveAllSchedules(ctx context.Context, ref string, body *gen.ScheduleNote, move allSchedulesMove) (gen.OperationBegunJSONResponse, error) {
	by, org, err := h.organization(ctx, ref)
	if err != nil {
		return gen.OperationBegunJSONResponse{}, err
	}
	o, err := move(ctx, by, org, orZero(orZero(body).Note))
	if err != nil {
		return gen.OperationBegunJSONResponse{}, err
	}
	op := toOperation(o)
	return gen.OperationBegunJSONResponse{Body: op, Headers: gen.OperationBegunResponseHeaders{Location: operationsPath + op.ID}}, nil
}

// TriggerSchedule starts a schedule's workflow now.
func (h *handlers) TriggerSchedule(ctx context.Context, req gen.TriggerScheduleRequestObject) (gen.TriggerScheduleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	overlap, err := fromOverlap(orZero(req.Body).Overlap)
	if err != nil {
		return nil, err
	}
	if err := h.Schedules.Trigger(ctx, by, org, req.ScheduleID, overlap); err != nil {
		return nil, err
	}
	return gen.TriggerSchedule204Response{}, nil
}

// BackfillSchedule starts what a schedule would have started.
func (h *handlers) BackfillSchedule(ctx context.Context, req gen.BackfillScheduleRequestObject) (gen.BackfillScheduleResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	overlap, err := fromOverlap(req.Body.Overlap)
	if err != nil {
		return nil, err
	}
	n, err := h.Schedules.Backfill(ctx, by, org, req.ScheduleID, schedule.Backfill{From: req.Body.StartAt, To: req.Body.EndAt, Overlap: overlap})
	if err != nil {
		return nil, err
	}
	return gen.BackfillSchedule200JSONResponse{Workflows: int32(n)}, nil //nolint:gosec // schedule.MaxBackfillRuns
}
