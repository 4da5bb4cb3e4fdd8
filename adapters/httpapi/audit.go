package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
)

// ListAuditEvents lists the entries of an organization's trail.
func (h *handlers) ListAuditEvents(ctx context.Context, req gen.ListAuditEventsRequestObject) (gen.ListAuditEventsResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	filter, err := toAuditFilter(req.Params)
	if err != nil {
		return nil, err
	}
	l := h.listOf("listAuditEvents", org).filtered(filter.Canonical())
	asked, err := l.request(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Trail.List(ctx, by, org, filter, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListAuditEvents200JSONResponse{Items: each(p.Items, toAuditEvent), NextCursor: l.next(p.Next)}, nil
}

// ListAllAuditEvents lists those of all organizations.
func (h *handlers) ListAllAuditEvents(ctx context.Context, req gen.ListAllAuditEventsRequestObject) (gen.ListAllAuditEventsResponseObject, error) {
	q := req.Params
	filter, err := toAuditFilter(gen.ListAuditEventsParams{
		Actor: q.Actor, Action: q.Action, ResourceType: q.ResourceType, ResourceID: q.ResourceID,
		Outcome: q.Outcome, From: q.From, To: q.To,
	})
	if err != nil {
		return nil, err
	}
	l := h.listOf("listAllAuditEvents", id.Org{}).filtered(filter.Canonical())
	asked, err := l.request(q.Limit, q.Cursor)
	if err != nil {
		return nil, err
	}
	p, err := h.Trail.ListAll(ctx, actorOf(ctx), filter, asked)
	if err != nil {
		return nil, err
	}
	return gen.ListAllAuditEvents200JSONResponse{Items: each(p.Items, toAuditEvent), NextCursor: l.next(p.Next)}, nil
}

// toAuditFilter reads what a request chooses.
func toAuditFilter(q gen.ListAuditEventsParams) (audit.Filter, error) {
	f := audit.Filter{
		Action: orZero(q.Action), ResourceType: orZero(q.ResourceType), ResourceID: orZero(q.ResourceID),
		Outcome: string(orZero(q.Outcome)), From: orZero(q.From), To: orZero(q.To),
	}
	given := orZero(q.Actor)
	if given == "" {
		return f, nil
	}
	var err error
	if f.User, err = id.Parse[id.UserKind](given); err == nil {
		return f, nil
	}
	f.Key, err = parseID[id.APIKeyKind]("actor", given)
	return f, err
}

// GetAuditEvent shows an entry.
func (h *handlers) GetAuditEvent(ctx context.Context, req gen.GetAuditEventRequestObject) (gen.GetAuditEventResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	i, err := parseID[id.EventKind]("event", req.Event)
	if err != nil {
		return nil, err
	}
	r, err := h.Trail.Get(ctx, by, org, i)
	if err != nil {
		return nil, err
	}
	return gen.GetAuditEvent200JSONResponse(toAuditEvent(r)), nil
}

// VerifyAuditTrail computes a trail's chain again.
func (h *handlers) VerifyAuditTrail(ctx context.Context, req gen.VerifyAuditTrailRequestObject) (gen.VerifyAuditTrailResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	v, err := h.Trail.Verify(ctx, by, org)
	if err != nil {
		return nil, err
	}
	return gen.VerifyAuditTrail200JSONResponse{
		Valid: v.FirstBad == 0, Checked: v.Checked, FromSeq: v.From, FirstBadSeq: optional(v.FirstBad),
		HeadSeq: v.Head.Seq, HeadHash: v.Head.Hash.String(),
	}, nil
}

// ExportAuditEvents streams a trail. The use case runs while the answer is
// written, so that no more than a batch is in memory.
func (h *handlers) ExportAuditEvents(ctx context.Context, req gen.ExportAuditEventsRequestObject) (gen.ExportAuditEventsResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	return auditExport{ctx: ctx, run: func(out *exportLines) error {
		return h.Trail.Export(ctx, by, org, orZero(req.Params.From), orZero(req.Params.To), out)
	}}, nil
}

// auditExport is the answer that is made as it is sent.
type auditExport struct {
	ctx context.Context //nolint:containedctx // of the one request that it answers
	run func(*exportLines) error
}

// ndjsonMedia is the media type of lines of JSON.
const ndjsonMedia = "application/x-ndjson"

// VisitExportAuditEventsResponse writes the answer. A failure before the first
// line is a problem like any other. Afterwards the connection is cut, so that
// nobody takes the answer for whole; the log has the reason.
func (a auditExport) VisitExportAuditEventsResponse(w http.ResponseWriter) error {
	out := &exportLines{header: w.Header(), w: bufio.NewWriterSize(w, 32<<10)}
	err := a.run(out)
	if err == nil {
		err = out.w.Flush()
	}
	if e := exchangeOf(a.ctx); err != nil && e.status != 0 {
		e.problem = asFault(a.ctx, err)
		e.cut = a.ctx.Err() == nil // that the client is gone is no fault of ours
		panic(http.ErrAbortHandler)
	}
	return err
}

// exportLines writes the lines of an export.
type exportLines struct {
	header http.Header
	w      *bufio.Writer
}

// Start implements trail.Sink.
func (x *exportLines) Start(o id.Org, after audit.Anchor) error {
	x.header.Set("Content-Type", ndjsonMedia)
	return x.line(gen.AuditExportLine{Start: &gen.AuditExportStart{
		OrganizationID: o.String(), AfterSeq: after.Seq, AfterHash: after.Hash.String(),
	}})
}

// Event implements trail.Sink.
func (x *exportLines) Event(r audit.Record) error {
	e := toAuditEvent(r)
	return x.line(gen.AuditExportLine{Event: &e})
}

// End implements trail.Sink.
func (x *exportLines) End(count int64, last, head audit.Anchor) error {
	return x.line(gen.AuditExportLine{End: &gen.AuditExportEnd{
		Count: count, LastSeq: last.Seq, LastHash: last.Hash.String(), HeadSeq: head.Seq, HeadHash: head.Hash.String(),
	}})
}

func (x *exportLines) line(l gen.AuditExportLine) error {
	b, err := json.Marshal(l)
	if err != nil {
		return fault.ErrInternal.Because(err)
	}
	_, err = x.w.Write(append(b, '\n'))
	return err
}

func toAuditEvent(r audit.Record) gen.AuditEvent {
	e := gen.AuditEvent{
		ID: r.ID.String(), OrganizationID: r.OrgID.String(), Seq: r.Seq, At: r.At,
		Actor: gen.AuditEventActor{
			Kind: r.Actor.Kind, OrganizationID: optional(r.Actor.Org.String()), UserID: optional(r.Actor.User.String()),
			APIKeyID: optional(r.Actor.Key.String()), Name: optional(r.Actor.Name),
		},
		Action: r.Action, ResourceType: r.ResourceType, ResourceID: optional(r.ResourceID),
		Outcome: gen.AuditEventOutcome(r.Outcome), Changes: r.Changes, Count: r.Count, RequestID: optional(r.RequestID),
	}
	if r.SourceIP.IsValid() {
		e.SourceIP = optional(r.SourceIP.String())
	}
	if r.Seq > 0 {
		e.Hash = r.Hash.String()
	}
	return e
}
