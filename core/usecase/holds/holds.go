// Package holds pauses the schedules of organizations that do not work, and all of an
// organization's when that is asked for, and lets exactly those go on afterwards. A
// durable workflow calls it, page by page and again after any failure, so each step may
// be repeated at any time.
package holds

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// batch is how many schedules one step looks at: few enough for its few seconds.
	batch = 25
	// settling is for how long after the last change of a held organization its
	// schedules are looked at again: as long as a tenant's data-plane token is good, it
	// can make schedules and let them go on. Such a token lives for ten minutes at most.
	settling = 12 * time.Minute
	// The pauses between two looks.
	firstLook, everyLook = 2 * time.Second, time.Minute
	// again is how soon all is looked at again when Temporal has refused something of a
	// single schedule, which keeps none of the others waiting.
	again = 10 * time.Second
	// resumed is the note of a schedule that goes on.
	resumed = "Resumed by Bulkhead, as the organization works again."
)

// Service holds and releases.
type Service struct {
	store     ports.Store
	schedules ports.Schedules
	clock     ports.Clock
	log       *slog.Logger
}

// New returns the service.
func New(store ports.Store, schedules ports.Schedules, clock ports.Clock, log *slog.Logger) *Service {
	return &Service{store: store, schedules: schedules, clock: clock, log: log}
}

// Progress is what is left after a step. The zero value is nothing.
type Progress struct {
	Cursor string        // where the next step begins; "": there is none
	Wait   time.Duration // after which all is to be looked at again; zero: not at all
}

// place is where a step begins.
type place struct {
	direction string // what is done to schedules
	at        string // in which order is its own matter
	failed    bool   // one of them could not be done so
}

// The directions.
const (
	holding   = "hold"
	releasing = "release"
)

// begin is the place where a direction begins.
func begin(direction string) place { return place{direction: direction} }

// cursor returns the place in the form of a cursor.
func (p place) cursor() string {
	if p.failed {
		return p.direction + "!" + ":" + p.at
	}
	return p.direction + ":" + p.at
}

// from reads a cursor. One of another direction, and none, is the beginning.
func from(cursor, direction string) place {
	head, at, _ := strings.Cut(cursor, ":")
	if strings.TrimSuffix(head, "!") != direction {
		return begin(direction)
	}
	return place{direction: direction, at: at, failed: strings.HasSuffix(head, "!")}
}

// Review takes one step to what the organization's row says now, from where the last
// one ended; "" is the beginning. A cursor of the other direction begins anew: what
// was decided since counts.
func (s *Service) Review(ctx context.Context, p outbox.SchedulesPayload, cursor string) (Progress, error) {
	row, err := s.store.Reads(p.Organization).Org(ctx)
	if fault.IsKind(err, fault.NotFound) {
		return Progress{}, nil
	}
	if err != nil {
		return Progress{}, err
	}
	switch {
	case row.HoldsSchedules():
		return s.hold(ctx, row, from(cursor, holding))
	case row.State() == org.Active:
		return s.work(ctx, row, cursor)
	}
	return Progress{}, nil // it has no namespace yet, or no more
}

// hold pauses what runs of one page of schedules, each with a hold that is written
// down first.
func (s *Service) hold(ctx context.Context, row org.Org, p place) (Progress, error) {
	token, err := base64.RawURLEncoding.DecodeString(p.at)
	if err != nil {
		return Progress{}, fault.ErrInternal.Because(err)
	}
	found, err := s.schedules.List(ctx, row.Namespace(), page.TokenRequest{Limit: batch, Token: token})
	if fault.IsKind(err, fault.NotFound) { // the namespace is going
		return Progress{}, nil
	}
	if err != nil {
		return Progress{}, err
	}
	running := slices.DeleteFunc(found.Items, func(f schedule.Summary) bool { return f.Paused })
	if len(running) > 0 {
		failed, err := s.pause(ctx, row, running)
		if err != nil {
			return Progress{}, err
		}
		p.failed = p.failed || failed
	}
	if found.Next != nil {
		p.at = base64.RawURLEncoding.EncodeToString(found.Next)
		return Progress{Cursor: p.cursor()}, nil
	}
	since := s.clock.Now().Sub(row.Snapshot().UpdatedAt)
	switch {
	case p.failed:
		return Progress{Wait: again}, nil
	case since < settling:
		return Progress{Wait: min(max(since, firstLook), everyLook)}, nil
	}
	return Progress{}, nil
}

// pause writes down that schedules are held, and pauses them. It tells whether one
// could not be paused.
func (s *Service) pause(ctx context.Context, o org.Org, running []schedule.Summary) (failed bool, err error) {
	held, err := s.write(ctx, o.ID(), running)
	if err != nil {
		return false, err
	}
	for _, row := range held {
		note := row.Holds.Of(schedule.Suspension).Note()
		done, err := s.done(ctx, row, s.schedules.Hold(ctx, o.Namespace(), row.ID, note))
		if err != nil {
			return false, err
		}
		failed = failed || !done
	}
	return failed, nil
}

// work lets go on what was held while the organization did not work, and does then what
// was asked of all of its schedules. That ends with another look for the former: it may
// have been suspended meanwhile.
func (s *Service) work(ctx context.Context, row org.Org, cursor string) (Progress, error) {
	op, err := s.store.Reads(row.ID()).OpenOperation(ctx, operation.OfSchedules())
	asked := err == nil
	if err != nil && !fault.IsKind(err, fault.NotFound) {
		return Progress{}, err
	}
	o := op.Snapshot()
	if asked && begun(o, cursor) {
		return s.bulk(ctx, row, o, cursor)
	}
	p, more, err := s.release(ctx, row, schedule.Suspension, resumed, from(cursor, releasing))
	switch {
	case err != nil:
		return Progress{}, err
	case more:
		return Progress{Cursor: p.cursor()}, nil
	case asked:
		return Progress{Cursor: begin(direction(finding, o)).cursor()}, nil
	case p.failed:
		return Progress{Wait: again}, nil
	}
	return Progress{}, nil
}

// done tells whether what was asked of a schedule was done. It fails when there is no
// point in asking anything of another one.
func (s *Service) done(ctx context.Context, row schedule.Row, err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, err
	case errors.Is(err, schedule.ErrNotFound):
		return true, s.gone(ctx, row)
	}
	s.log.WarnContext(ctx, "schedule neither held nor released; it is tried again",
		"organization", row.OrgID.String(), "schedule", row.ID, "error", err)
	return false, nil
}

// write stores holds for schedules, unless the organization works again: then there
// are none. It takes the organization's turn, so that who lets it work again finds all
// that was held before.
func (s *Service) write(ctx context.Context, o id.Org, running []schedule.Summary) (held []schedule.Row, err error) {
	now := s.clock.Now()
	wanted := make([]schedule.Row, len(running))
	for i, f := range running {
		wanted[i] = schedule.Row{OrgID: o, ID: f.ID, CreatedAt: now, Request: uuid.New(), Holds: schedule.Holds{Suspension: uuid.New()}}
	}
	err = s.store.WriteTx(ctx, o, func(ctx context.Context, tx ports.Tx) error {
		held = nil
		row, err := tx.Orgs.Lock(ctx)
		if err != nil || !row.HoldsSchedules() {
			return err
		}
		if held, err = tx.Schedules.Hold(ctx, wanted); err != nil {
			return err
		}
		for _, h := range held {
			if !slices.ContainsFunc(wanted, func(w schedule.Row) bool { return w.Holds.Suspension == h.Holds.Suspension }) {
				continue // it was held before
			}
			if err := tx.Audit.Append(ctx, entry(h, h.Holds.Of(schedule.Suspension), now, audit.ScheduleHeld)); err != nil {
				return err
			}
		}
		return nil
	})
	return held, err
}

func entry(h schedule.Row, hold schedule.Hold, now time.Time, a audit.Action) audit.Entry {
	return audit.Accepted(h.OrgID, now, authz.Keeper, a, "schedule", h.ID, map[string]audit.Change{"hold": audit.Created(hold.Mark())})
}

// release lets some of the schedules go on that are held so, with a note, and ends their
// holds. One that was paused anew, or goes on already, is left to whoever did so. It
// returns how far it has come, and whether there were any.
func (s *Service) release(ctx context.Context, o org.Org, k schedule.HoldKind, note string, p place) (_ place, more bool, err error) {
	rows, err := s.store.Reads(o.ID()).Schedules(ctx, schedule.Filter{After: p.at, Held: k})
	if err != nil || len(rows) == 0 {
		return p, false, err
	}
	for _, row := range rows[:min(len(rows), batch)] {
		hold := row.Holds.Of(k)
		runs, err := s.schedules.Release(ctx, o.Namespace(), row.ID, hold.Mark(), note)
		done, err := s.done(ctx, row, err)
		if err == nil && done {
			err = s.end(ctx, row, hold, runs)
		}
		if err != nil {
			return p, false, err
		}
		p.at, p.failed = row.ID, p.failed || !done
	}
	return p, true, nil
}

// end writes down that a hold has ended, and whether the schedule runs now: who has
// paused it meanwhile has it paused still.
func (s *Service) end(ctx context.Context, row schedule.Row, hold schedule.Hold, runs bool) error {
	e := entry(row, hold, s.clock.Now(), audit.ScheduleReleased)
	e.Changes["paused"] = audit.Created(!runs)
	return s.store.WriteTx(ctx, row.OrgID, func(ctx context.Context, tx ports.Tx) error {
		ended, err := tx.Schedules.Unhold(ctx, row.ID, hold.ID)
		if err != nil || !ended {
			return err
		}
		return tx.Audit.Append(ctx, e)
	})
}

// gone removes the row of a schedule that there is no more.
func (s *Service) gone(ctx context.Context, row schedule.Row) error {
	return s.store.WriteTx(ctx, row.OrgID, func(ctx context.Context, tx ports.Tx) error {
		_, err := tx.Schedules.Remove(ctx, row.ID)
		return err
	})
}
