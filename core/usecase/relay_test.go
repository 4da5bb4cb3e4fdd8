package usecase_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/usecase/relay"
)

// queue is the outbox and the orchestrator, in the time of its bubble.
type queue struct {
	mu       sync.Mutex
	messages map[id.Message]outbox.Message
	due      map[id.Message]time.Time
	reasons  map[id.Message]string
	started  map[id.Operation]int

	claims  int
	claim   error
	done    error
	retry   error
	wait    error
	deliver func(ctx context.Context, p outbox.ProvisionPayload) error
}

func newQueue() *queue {
	return &queue{
		messages: map[id.Message]outbox.Message{}, due: map[id.Message]time.Time{}, reasons: map[id.Message]string{},
		started: map[id.Operation]int{},
		deliver: func(context.Context, outbox.ProvisionPayload) error { return nil },
	}
}

func (q *queue) Now() time.Time { return time.Now() }

// add leaves a message that asks for provisioning.
func (q *queue) add() (id.Message, id.Operation) {
	op := id.New[id.OperationKind]()
	m, err := outbox.NewProvision(id.New[id.OrgKind](), op, time.Now())
	if err != nil {
		panic(err)
	}
	q.put(m)
	return m.ID, op
}

func (q *queue) put(m outbox.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages[m.ID], q.due[m.ID] = m, time.Now()
}

func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

func (q *queue) Claim(_ context.Context, now time.Time, limit int, lease time.Duration) ([]outbox.Message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.claims++
	if q.claim != nil {
		return nil, q.claim
	}
	var out []outbox.Message
	for i, m := range q.messages {
		if !q.due[i].After(now) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b outbox.Message) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	out = out[:min(limit, len(out))]
	for i := range out {
		out[i].Attempts++
		q.messages[out[i].ID] = out[i]
		q.due[out[i].ID] = now.Add(lease)
	}
	return out, nil
}

func (q *queue) Done(_ context.Context, m id.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.done == nil {
		delete(q.messages, m)
	}
	return q.done
}

func (q *queue) Retry(_ context.Context, m id.Message, at time.Time, reason string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.retry == nil {
		q.due[m], q.reasons[m] = at, reason
	}
	return q.retry
}

func (q *queue) Wait(ctx context.Context, limit time.Duration) error {
	if q.wait != nil {
		return q.wait
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(limit): //nolint:forbidigo // the time is the bubble's
		return nil
	}
}

func (q *queue) ProvisionOrganization(ctx context.Context, p outbox.ProvisionPayload) error {
	q.mu.Lock()
	q.started[p.Operation]++
	deliver := q.deliver
	q.mu.Unlock()
	return deliver(ctx, p)
}

func (q *queue) relay(log *bytes.Buffer) *relay.Service {
	h := slog.DiscardHandler
	if log != nil {
		h = slog.NewTextHandler(log, nil)
	}
	return relay.New(q, q, q, slog.New(h))
}

func TestRelay(t *testing.T) {
	t.Parallel()

	t.Run("Should deliver and remove", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			q := newQueue()
			_, a := q.add()
			_, b := q.add()
			n, err := q.relay(nil).Deliver(t.Context())
			is.NoErr(err)
			is.Equal(n, 2)
			is.Equal(q.started, map[id.Operation]int{a: 1, b: 1})
			is.Equal(q.left(), 0)
			n, err = q.relay(nil).Deliver(t.Context())
			is.NoErr(err)
			is.Equal(n, 0)
		})
	})

	t.Run("Should come back ever later, half a minute at most, and never give up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			q := newQueue()
			m, op := q.add()
			q.deliver = func(context.Context, outbox.ProvisionPayload) error { return fault.ErrUnavailable }
			s := q.relay(nil)
			want := []int{200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000} // milliseconds
			for attempt, ms := range want {
				d := time.Duration(ms) * time.Millisecond
				_, err := s.Deliver(t.Context())
				is.NoErr(err)
				is.Equal(time.Until(q.due[m]), d)
				is.Equal(q.messages[m].Attempts, attempt+1)
				is.True(strings.HasPrefix(q.reasons[m], "unavailable"))
				pass(d - 1)
				n, err := s.Deliver(t.Context())
				is.NoErr(err)
				is.Equal(n, 0) // not before its time
				pass(1)
			}
			q.messages[m] = outbox.Message{ID: m, Kind: outbox.ProvisionOrganization, Payload: q.messages[m].Payload, Attempts: 1_000_000}
			_, err := s.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(time.Until(q.due[m]), 30*time.Second)
			is.Equal(q.started[op], len(want)+1)
			is.Equal(q.left(), 1)
		})
	})

	t.Run("Should keep what it does not understand and deliver the rest", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			q := newQueue()
			newer := outbox.Message{ID: id.New[id.MessageKind](), Kind: "org.provision.v2", Payload: json.RawMessage(`{}`)}
			broken := outbox.Message{ID: id.New[id.MessageKind](), Kind: outbox.ProvisionOrganization, Payload: json.RawMessage(`{"organization":"x"}`)}
			q.put(newer)
			q.put(broken)
			_, op := q.add()
			var log bytes.Buffer
			n, err := q.relay(&log).Deliver(t.Context())
			is.NoErr(err)
			is.Equal(n, 3)
			is.Equal(q.started, map[id.Operation]int{op: 1})
			is.Equal(q.left(), 2)
			is.True(q.reasons[newer.ID] != "" && q.reasons[broken.ID] != "")
			is.Equal(strings.Count(log.String(), "message not delivered"), 2)
		})
	})

	t.Run("Should let no message wait for a slow one beyond the lease", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			q := newQueue()
			for range 10 {
				q.add()
			}
			_, fast := q.add()
			q.deliver = func(ctx context.Context, p outbox.ProvisionPayload) error {
				if p.Operation == fast {
					return nil
				}
				<-ctx.Done() // a server that never answers
				return ctx.Err()
			}
			start := time.Now()
			_, err := q.relay(nil).Deliver(t.Context())
			is.NoErr(err)
			is.Equal(q.left(), 10)
			is.True(time.Since(start) < 5*time.Second) // the lease: nobody else has claimed them meanwhile
		})
	})

	t.Run("Should deliver again what could not be removed or put back", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			q := newQueue()
			_, op := q.add()
			var log bytes.Buffer
			s := q.relay(&log)
			q.done = fault.ErrUnavailable
			_, err := s.Deliver(t.Context())
			is.NoErr(err)
			q.done, q.retry = nil, fault.ErrUnavailable
			q.deliver = func(context.Context, outbox.ProvisionPayload) error { return errors.New("no") }
			pass(5 * time.Second) // the lease
			_, err = s.Deliver(t.Context())
			is.NoErr(err)
			q.deliver = func(context.Context, outbox.ProvisionPayload) error { return nil }
			pass(5 * time.Second)
			_, err = s.Deliver(t.Context())
			is.NoErr(err)
			is.Equal(q.started[op], 3)
			is.Equal(q.left(), 0)
			is.True(strings.Contains(log.String(), "not removed"))
			is.True(strings.Contains(log.String(), "not put back"))
		})
	})

	t.Run("Should run until it is told to stop, through every failure, and never spin", func(t *testing.T) {
		t.Parallel()
		for name, breakIt := range map[string]func(*queue){
			"nothing":            func(*queue) {},
			"a claim that fails": func(q *queue) { q.claim = fault.ErrUnavailable },
			"a wait that fails":  func(q *queue) { q.wait = fault.ErrUnavailable },
			"both":               func(q *queue) { q.claim, q.wait = fault.ErrUnavailable, fault.ErrUnavailable },
		} {
			t.Run("Should survive "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					is := is.New(t)
					q := newQueue()
					breakIt(q)
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan struct{})
					go func() { q.relay(nil).Run(ctx); close(ended) }()
					pass(time.Minute)
					synctest.Wait()
					q.mu.Lock()
					claims := q.claims
					q.claim = nil
					q.mu.Unlock()
					is.True(claims >= 50 && claims <= 62)

					q.add()
					pass(3 * time.Second)
					is.Equal(q.left(), 0) // it has recovered
					cancel()
					<-ended
				})
			})
		}
	})

	t.Run("Should not wait while there may be more", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			q := newQueue()
			for range 500 {
				q.add()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go q.relay(nil).Run(ctx)
			pass(time.Millisecond)
			synctest.Wait()
			is.Equal(q.left(), 0)
			for op, n := range q.started {
				if n != 1 {
					t.Error(fmt.Sprint(op, " was delivered ", n, " times"))
				}
			}
		})
	})
}
