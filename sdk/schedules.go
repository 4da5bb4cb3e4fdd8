package sdk

import (
	"context"
	"iter"
	"net/http"
)

// CreateSchedule makes a schedule in the organization's own namespace. An id that is
// taken is refused with a conflict.
func (c *Client) CreateSchedule(ctx context.Context, org string, in ScheduleCreate) (*Schedule, error) {
	return call[Schedule](ctx, c, post(organization(org, "schedules"), in))
}

// Schedule returns a schedule as it is now.
func (c *Client) Schedule(ctx context.Context, org, scheduleID string) (*Schedule, error) {
	return call[Schedule](ctx, c, get(organization(org, "schedules", scheduleID)))
}

// ListSchedules returns a page of the schedules. What has just changed may be shown a
// moment late.
func (c *Client) ListSchedules(ctx context.Context, org string, o ListOptions) (*ScheduleList, error) {
	return call[ScheduleList](ctx, c, get(organization(org, "schedules")).page(o))
}

// AllSchedules walks through the schedules of an organization.
func (c *Client) AllSchedules(ctx context.Context, org string) iter.Seq2[ScheduleSummary, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]ScheduleSummary, string, error) {
		l, err := c.ListSchedules(ctx, org, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// UpdateSchedule changes what is named; each of spec, action and policy is replaced as
// a whole. The ETag is that of the schedule on which the change was decided; it fails
// when the schedule has changed since.
func (c *Client) UpdateSchedule(ctx context.Context, org, scheduleID, etag string, in ScheduleUpdate) (*Schedule, error) {
	return call[Schedule](ctx, c, request{
		method: http.MethodPatch, path: organization(org, "schedules", scheduleID), header: ifMatch(etag), body: in,
	})
}

// PauseSchedule stops a schedule; what runs, runs on. The note may be "".
func (c *Client) PauseSchedule(ctx context.Context, org, scheduleID, note string) (*Schedule, error) {
	return call[Schedule](ctx, c, post(organization(org, "schedules", scheduleID, "pause"), ScheduleNote{Note: note}))
}

// ResumeSchedule lets a schedule go on. The note may be "".
func (c *Client) ResumeSchedule(ctx context.Context, org, scheduleID, note string) (*Schedule, error) {
	return call[Schedule](ctx, c, post(organization(org, "schedules", scheduleID, "resume"), ScheduleNote{Note: note}))
}

// PauseAllSchedules begins to pause every schedule of the organization that runs; what is
// made later runs. The note may be "". AwaitOperation waits for its end.
func (c *Client) PauseAllSchedules(ctx context.Context, org, note string) (*Operation, error) {
	return call[Operation](ctx, c, post(organization(org, "schedules", "pause-all"), ScheduleNote{Note: note}))
}

// ResumeAllSchedules begins to let exactly those schedules go on that PauseAllSchedules
// has paused, and that nobody has touched since. The note may be "".
func (c *Client) ResumeAllSchedules(ctx context.Context, org, note string) (*Operation, error) {
	return call[Operation](ctx, c, post(organization(org, "schedules", "resume-all"), ScheduleNote{Note: note}))
}

// TriggerSchedule starts a schedule's workflow now, also when it is paused. Without an
// overlap the schedule's own holds.
func (c *Client) TriggerSchedule(ctx context.Context, org, scheduleID string, overlap ScheduleOverlap) error {
	_, err := c.do(ctx, post(organization(org, "schedules", scheduleID, "trigger"), ScheduleTrigger{Overlap: overlap}))
	return err
}

// BackfillSchedule starts what a schedule would have started in a time that is over,
// and returns how many workflows that are.
func (c *Client) BackfillSchedule(ctx context.Context, org, scheduleID string, in ScheduleBackfill) (int, error) {
	out, err := call[ScheduleBackfilled](ctx, c, post(organization(org, "schedules", scheduleID, "backfill"), in))
	if err != nil {
		return 0, err
	}
	return int(out.Workflows), nil
}

// DeleteSchedule deletes a schedule; what it has started runs on. The ETag is as in
// UpdateSchedule.
func (c *Client) DeleteSchedule(ctx context.Context, org, scheduleID, etag string) error {
	_, err := c.do(ctx, request{method: http.MethodDelete, path: organization(org, "schedules", scheduleID), header: ifMatch(etag)})
	return err
}
