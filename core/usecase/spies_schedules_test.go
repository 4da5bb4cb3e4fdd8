package usecase_test

import (
	"context"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

func (r reads) KnownSchedules(ctx context.Context, ids []string) ([]string, error) {
	return asked(r.spy, "Reads.KnownSchedules", func() ([]string, error) { return r.real.KnownSchedules(ctx, ids) })
}

func (r reads) Schedules(ctx context.Context, f schedule.Filter) ([]schedule.Row, error) {
	return asked(r.spy, "Reads.Schedules", func() ([]schedule.Row, error) { return r.real.Schedules(ctx, f) })
}

func (r reads) OpenOperation(ctx context.Context, kinds []operation.Kind) (operation.Operation, error) {
	return asked(r.spy, "Reads.OpenOperation", func() (operation.Operation, error) { return r.real.OpenOperation(ctx, kinds) })
}

func (w operationWriter) Latest(ctx context.Context, kinds []operation.Kind) (operation.Operation, error) {
	return asked(w.spy, "Operations.Latest", func() (operation.Operation, error) { return w.real.Latest(ctx, kinds) })
}

type scheduleWriter struct {
	*spy
	real ports.ScheduleWriter
}

func (w scheduleWriter) Claim(ctx context.Context, r schedule.Row) (bool, error) {
	return asked(w.spy, "Rows.Claim", func() (bool, error) { return w.real.Claim(ctx, r) })
}

func (w scheduleWriter) TakeBack(ctx context.Context, i string, request uuid.UUID) (bool, error) {
	return asked(w.spy, "Rows.TakeBack", func() (bool, error) { return w.real.TakeBack(ctx, i, request) })
}

func (w scheduleWriter) Remove(ctx context.Context, i string) (bool, error) {
	return asked(w.spy, "Rows.Remove", func() (bool, error) { return w.real.Remove(ctx, i) })
}

func (w scheduleWriter) Hold(ctx context.Context, rs []schedule.Row) ([]schedule.Row, error) {
	return asked(w.spy, "Rows.Hold", func() ([]schedule.Row, error) { return w.real.Hold(ctx, rs) })
}

func (w scheduleWriter) Unhold(ctx context.Context, i string, hold uuid.UUID) (bool, error) {
	return asked(w.spy, "Rows.Unhold", func() (bool, error) { return w.real.Unhold(ctx, i, hold) })
}

func (w scheduleWriter) Learn(ctx context.Context, rs []schedule.Row) (int64, error) {
	return asked(w.spy, "Rows.Learn", func() (int64, error) { return w.real.Learn(ctx, rs) })
}
