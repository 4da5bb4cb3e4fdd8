package sdk

import (
	"context"
	"maps"
)

// scheduleOperations are those of operations that are about schedules.
var scheduleOperations = map[string]func(context.Context, *Client) error{
	"POST /api/v0/organizations/{org}/schedules": func(ctx context.Context, c *Client) error {
		_, err := c.CreateSchedule(ctx, "{org}", ScheduleCreate{})
		return err
	},
	"GET /api/v0/organizations/{org}/schedules": func(ctx context.Context, c *Client) error {
		_, err := c.ListSchedules(ctx, "{org}", ListOptions{})
		return err
	},
	"GET /api/v0/organizations/{org}/schedules/{schedule_id}": func(ctx context.Context, c *Client) error {
		_, err := c.Schedule(ctx, "{org}", "{schedule_id}")
		return err
	},
	"PATCH /api/v0/organizations/{org}/schedules/{schedule_id}": func(ctx context.Context, c *Client) error {
		_, err := c.UpdateSchedule(ctx, "{org}", "{schedule_id}", AnyVersion, ScheduleUpdate{})
		return err
	},
	"DELETE /api/v0/organizations/{org}/schedules/{schedule_id}": func(ctx context.Context, c *Client) error {
		return c.DeleteSchedule(ctx, "{org}", "{schedule_id}", AnyVersion)
	},
	"POST /api/v0/organizations/{org}/schedules/{schedule_id}/pause": func(ctx context.Context, c *Client) error {
		_, err := c.PauseSchedule(ctx, "{org}", "{schedule_id}", "")
		return err
	},
	"POST /api/v0/organizations/{org}/schedules/{schedule_id}/resume": func(ctx context.Context, c *Client) error {
		_, err := c.ResumeSchedule(ctx, "{org}", "{schedule_id}", "")
		return err
	},
	"POST /api/v0/organizations/{org}/schedules/pause-all": func(ctx context.Context, c *Client) error {
		_, err := c.PauseAllSchedules(ctx, "{org}", "")
		return err
	},
	"POST /api/v0/organizations/{org}/schedules/resume-all": func(ctx context.Context, c *Client) error {
		_, err := c.ResumeAllSchedules(ctx, "{org}", "")
		return err
	},
	"POST /api/v0/organizations/{org}/schedules/{schedule_id}/trigger": func(ctx context.Context, c *Client) error {
		return c.TriggerSchedule(ctx, "{org}", "{schedule_id}", "")
	},
	"POST /api/v0/organizations/{org}/schedules/{schedule_id}/backfill": func(ctx context.Context, c *Client) error {
		_, err := c.BackfillSchedule(ctx, "{org}", "{schedule_id}", ScheduleBackfill{})
		return err
	},
}

// with returns all the operations of both.
func with(some, more map[string]func(context.Context, *Client) error) map[string]func(context.Context, *Client) error {
	maps.Copy(more, some)
	return more
}
