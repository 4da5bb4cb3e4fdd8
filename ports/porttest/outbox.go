package porttest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/ports"
)

// Outbox checks ports.Outbox.
func Outbox(t *testing.T, open Open) {
	const lease = time.Minute
	with := func(name string, fn func(t *testing.T, is *is.I, b Backend, o id.Org)) {
		should(t, name, func(t *testing.T, is *is.I) {
			b := open(t)
			fn(t, is, b, orgID(seed(t, b, anOrg())))
		})
	}
	claim := func(t *testing.T, b Backend, now time.Time, limit int) []id.Message {
		t.Helper()
		messages, err := b.Outbox.Claim(t.Context(), now, limit, lease)
		must(t, err)
		return flat([][]outbox.Message{messages}, messageID)
	}

	with("return a message whole, and count the claim as an attempt", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		m := aMessage(t, o, moment)
		add(t, b, o, m)
		got, err := b.Outbox.Claim(t.Context(), moment, 10, lease)
		is.NoErr(err)
		is.Equal(len(got), 1)
		whole(t, got[0])
		is.True(sameJSON(t, got[0].Payload, m.Payload))
		m.Payload, m.CreatedAt, m.Attempts = got[0].Payload, kept(moment), 1
		is.Equal(got[0], m)
	})

	with("claim what is due, oldest first, of all organizations, up to the limit", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		other := orgID(seed(t, b, anOrg()))
		var want []id.Message
		for i := range 6 {
			owner := []id.Org{o, other}[i%2]
			m := aMessage(t, owner, moment.Add(time.Duration(-i)*time.Second)) // the last one is the oldest
			add(t, b, owner, m)
			want = append([]id.Message{m.ID}, want...)
		}
		add(t, b, o, aMessage(t, o, moment.Add(time.Second))) // not due
		is.Equal(claim(t, b, moment, 4), want[:4])
		is.Equal(claim(t, b, moment, 4), want[4:])
		is.Equal(len(claim(t, b, moment, 4)), 0)
	})

	with("hide a claimed message for the lease, and no longer", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		m := aMessage(t, o, moment)
		add(t, b, o, m)
		is.Equal(claim(t, b, moment, 10), []id.Message{m.ID})
		is.Equal(len(claim(t, b, moment.Add(lease-time.Second), 10)), 0)
		again, err := b.Outbox.Claim(t.Context(), moment.Add(lease), 10, lease)
		is.NoErr(err)
		is.Equal(len(again), 1)
		is.Equal(again[0].Attempts, 2)
	})

	with("never give a message to two claims at once", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		const messages, relays = 120, 8
		things := make([]any, messages)
		for i := range things {
			things[i] = aMessage(t, o, moment)
		}
		add(t, b, o, things...)
		claims := make([][]outbox.Message, relays)
		for _, err := range together(relays, func(relay int) error {
			for {
				got, err := b.Outbox.Claim(t.Context(), moment, 7, lease)
				if err != nil || len(got) == 0 {
					return err
				}
				claims[relay] = append(claims[relay], got...)
			}
		}) {
			is.NoErr(err)
		}
		seen := map[id.Message]int{}
		for _, m := range flat(claims, messageID) {
			seen[m]++
		}
		for m, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", m, n)
			}
		}
		is.Equal(len(seen), messages)
	})

	with("remove a delivered message, twice without harm", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		m, stays := aMessage(t, o, moment), aMessage(t, o, moment)
		add(t, b, o, m, stays)
		is.NoErr(b.Outbox.Done(t.Context(), m.ID))
		is.NoErr(b.Outbox.Done(t.Context(), m.ID))
		is.Equal(claim(t, b, moment, 10), []id.Message{stays.ID})
	})

	with("make a message due again at the time given, whatever the reason's bytes", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		m := aMessage(t, o, moment)
		add(t, b, o, m)
		claim(t, b, moment, 10)
		is.NoErr(b.Outbox.Retry(t.Context(), m.ID, moment.Add(5*time.Second), "binary \x00\xff noise"))
		is.Equal(len(claim(t, b, moment.Add(4*time.Second), 10)), 0)
		is.Equal(claim(t, b, moment.Add(5*time.Second), 10), []id.Message{m.ID})
		is.NoErr(b.Outbox.Retry(t.Context(), id.New[id.MessageKind](), moment, "gone")) // delivered by another meanwhile
	})

	with("leave one message for all that gather and that nobody has claimed, of one organization, after a while", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		other := orgID(seed(t, b, anOrg()))
		review := func(o id.Org, at time.Time) outbox.Message {
			m, err := outbox.NewNamespace(o, at)
			is.NoErr(err)
			return m
		}
		first, theirs := review(o, moment), review(other, moment.Add(time.Second))
		add(t, b, o, first, review(o, moment), aMessage(t, o, moment.Add(time.Hour)))
		for i := range 9 {
			add(t, b, o, review(o, moment.Add(time.Duration(i)*time.Second)))
		}
		add(t, b, other, theirs)
		is.Equal(len(claim(t, b, moment.Add(outbox.Gathering-time.Millisecond), 10)), 0)
		is.Equal(claim(t, b, moment.Add(outbox.Gathering), 10), []id.Message{first.ID})
		next := review(o, moment.Add(2*time.Second)) // the other stands for nothing any more
		add(t, b, o, next)
		is.NoErr(b.Outbox.Retry(t.Context(), first.ID, moment.Add(time.Hour), "away")) // nor when it is to be tried again
		add(t, b, o, review(o, moment.Add(3*time.Second)))
		is.Equal(claim(t, b, moment.Add(time.Second+outbox.Gathering), 10), []id.Message{theirs.ID})
		is.Equal(claim(t, b, moment.Add(30*time.Second), 10), []id.Message{next.ID})
	})

	with("show no message before its transaction commits", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		m := aMessage(t, o, moment)
		is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			is.NoErr(tx.Outbox.Append(ctx, m))
			is.Equal(len(claim(t, b, moment, 10)), 0)
			return nil
		}))
		is.Equal(claim(t, b, moment, 10), []id.Message{m.ID})
	})

	with("wake a relay that waits, when the transaction commits", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		settle(t, b)
		woken := make(chan error, 1)
		is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			if err := tx.Outbox.Append(ctx, aMessage(t, o, moment)); err != nil {
				return err
			}
			go func() { woken <- soon(ctx, b) }()
			return nil
		}))
		is.NoErr(<-woken)
	})

	with("keep a wake-up that came between two waits, and one for many", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		settle(t, b)
		for range 3 {
			add(t, b, o, aMessage(t, o, moment))
			add(t, b, o, aMessage(t, o, moment))
			is.NoErr(soon(t.Context(), b))
		}
	})

	with("wait no longer than the limit, and end with the caller", func(t *testing.T, is *is.I, b Backend, _ id.Org) {
		settle(t, b)
		is.NoErr(b.Outbox.Wait(t.Context(), 10*time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		is.True(errors.Is(b.Outbox.Wait(ctx, storePatience), context.DeadlineExceeded))
		gone, leave := context.WithCancel(t.Context())
		leave()
		is.True(errors.Is(b.Outbox.Wait(gone, storePatience), context.Canceled))
	})

	with("still wake after a wait that was broken off", func(t *testing.T, is *is.I, b Backend, o id.Org) {
		settle(t, b)
		gone, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer leave()
		is.True(b.Outbox.Wait(gone, storePatience) != nil)
		add(t, b, o, aMessage(t, o, moment))
		is.NoErr(soon(t.Context(), b))
	})
}

// settle takes the wake-ups that are still to come from before the test.
func settle(t testing.TB, b Backend) {
	t.Helper()
	for range 3 {
		must(t, b.Outbox.Wait(t.Context(), 50*time.Millisecond))
	}
}

// errNotWoken is returned when only the limit ended a wait.
var errNotWoken = errors.New("nothing woke the relay")

// soon waits for a wake-up with a limit that is far away.
func soon(ctx context.Context, b Backend) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if err := b.Outbox.Wait(ctx, 2*storePatience); err != nil {
		return errors.Join(errNotWoken, err)
	}
	return nil
}

func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	must(t, errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)))
	return reflect.DeepEqual(x, y)
}
