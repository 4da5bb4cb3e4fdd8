package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/ports"
)

// line returns what is told of a request that has ended.
func (e *exchange) line(r *http.Request) ports.Request {
	line := ports.Request{
		At: e.start, Took: time.Since(e.start), ID: e.requestID[0],
		Method: methodOf(r), Route: e.route(), Status: e.status, Bytes: e.bytes, IP: e.ip,
		Probe: e.endpoint != nil && e.endpoint.probe,
		Org:   e.actor.Org(), Key: e.actor.Key(), ClientID: e.clientRequestID,
	}
	if e.problem != nil {
		line.Code = e.problem.Code
	}
	return line
}

// causes returns what went wrong inside, for the log alone.
func (e *exchange) causes() []slog.Attr {
	var attrs []slog.Attr
	if e.problem != nil {
		attrs = append(attrs, slog.String("error", e.problem.Error()))
	}
	if e.stack != nil {
		attrs = append(attrs, slog.String("stack", string(e.stack)))
	}
	return attrs
}

// attributes returns a request's line as the attributes of a record.
func attributes(l ports.Request) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("request_id", l.ID),
		slog.String("method", l.Method),
		slog.String("route", l.Route),
		slog.Int("status", l.Status),
		slog.Int64("bytes", l.Bytes),
		slog.Int64("duration_us", l.Took.Microseconds()),
		slog.String("ip", l.IP.String()),
	}
	if !l.Org.IsZero() {
		attrs = append(attrs, slog.String("organization_id", l.Org.String()), slog.String("api_key_id", l.Key.String()))
	}
	if l.ClientID != "" {
		attrs = append(attrs, slog.String("client_request_id", l.ClientID))
	}
	if l.Code != "" {
		attrs = append(attrs, slog.String("code", l.Code))
	}
	return attrs
}

// records is a log of requests whose lines are records of another log: when
// nobody asked for better.
type records struct{ log *slog.Logger }

// Request implements ports.RequestLog. Probes, which come every few seconds, can
// be left out.
func (l records) Request(r ports.Request) {
	level := slog.LevelInfo
	if r.Probe {
		level = slog.LevelDebug
	}
	if l.log.Enabled(context.Background(), level) {
		l.log.LogAttrs(context.Background(), level, "request", attributes(r)...)
	}
}
