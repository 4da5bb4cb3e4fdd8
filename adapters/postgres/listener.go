package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bulkheadhq/bulkhead/core/sleep"
)

// The pauses between attempts to connect again.
const (
	firstReconnect = 100 * time.Millisecond
	maxReconnect   = 5 * time.Second
)

// listener waits for notifications on a connection of its own, without a
// goroutine: what arrives between two waits is kept by the connection. What is
// missed without a connection is made up for by returning whenever one was
// made, so that its user looks for itself.
type listener struct {
	config  *pgx.ConnConfig
	channel string
	turn    chan struct{} // holds one token: the right to use conn
	conn    *pgx.Conn     // nil until the first wait
}

func newListener(config *pgx.ConnConfig, channel string) *listener {
	l := &listener{config: config, channel: channel, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// wait returns when there may have been a notification since the last call, after
// limit at the latest, or with ctx's error.
func (l *listener) wait(ctx context.Context, limit time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-bounded.Done():
		return ctx.Err()
	}
	if l.conn != nil && l.heard(bounded) {
		return nil
	}
	if bounded.Err() != nil {
		return ctx.Err()
	}
	l.connect(bounded)
	return ctx.Err()
}

// heard waits for a notification. It is false when there was none, either in
// time or because the connection broke.
func (l *listener) heard(ctx context.Context) bool {
	if _, err := l.conn.WaitForNotification(ctx); err != nil {
		return false
	}
	// The answer to any statement comes after the notifications that were sent
	// before it: one wake-up for all of them, however many there were. A
	// connection that breaks now is noticed by the next call.
	if l.conn.Ping(ctx) == nil {
		l.forget(ctx)
	}
	return true
}

// forget takes the notifications that have arrived.
func (l *listener) forget(ctx context.Context) {
	done, cancel := context.WithCancel(ctx)
	cancel()
	for {
		if _, err := l.conn.WaitForNotification(done); err != nil {
			return
		}
	}
}

// connect makes a connection that listens, trying until ctx ends.
func (l *listener) connect(ctx context.Context) {
	for pause := firstReconnect; ; pause = min(2*pause, maxReconnect) {
		if l.listen(ctx) == nil || !sleep.For(ctx, pause) {
			return
		}
	}
}

func (l *listener) listen(ctx context.Context) error {
	if l.conn != nil {
		_ = l.conn.Close(ctx) // it is broken
		l.conn = nil
	}
	conn, err := pgx.ConnectConfig(ctx, l.config.Copy())
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{l.channel}.Sanitize()); err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	l.conn = conn
	return nil
}

// close ends the connection. It waits for a wait that is under way.
func (l *listener) close(ctx context.Context) error {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close(ctx)
	l.conn = nil
	return translate(ctx, err)
}
