package temporal

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	pingTimeout = time.Second
	// pingLife keeps a flood of readiness checks from becoming one of calls to Temporal.
	pingLife = time.Second
)

// Health implements ports.Pinger.
type Health struct {
	conn *Connection

	mu      sync.Mutex // held during a ping, so that concurrent checks share it
	err     error
	goodFor time.Time
}

var _ ports.Pinger = (*Health)(nil)

// NewHealth returns the health of Temporal's frontend.
func NewHealth(conn *Connection) *Health { return &Health{conn: conn} }

// Name returns "temporal".
func (h *Health) Name() string { return "temporal" }

// Ping fails unless the frontend answered within the last second. It needs no
// token: it tells of Temporal alone.
func (h *Health) Ping(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.conn.clock.Now(); now.Before(h.goodFor) {
		return h.err
	}
	// What this check finds is for others too, so it does not end with its own request.
	ctx = context.WithoutCancel(ctx)
	_, h.err = invoke(ctx, pingTimeout, h.conn.adminService().GetSystemInfo, &workflowservice.GetSystemInfoRequest{})
	h.goodFor = h.conn.clock.Now().Add(pingLife)
	return h.err
}
