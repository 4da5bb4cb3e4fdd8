package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"
)

// AuditFilter chooses entries of an audit trail; a zero field chooses all.
type AuditFilter struct {
	Actor        string // the id of a user or an API key
	Action       string // such as "user.created"
	ResourceType string // such as "user"
	ResourceID   string
	Outcome      AuditEventOutcome
	From, To     time.Time // from is within, to is not
}

func (r request) chosen(f AuditFilter) request {
	return r.with("actor", f.Actor).with("action", f.Action).with("resource_type", f.ResourceType).
		with("resource_id", f.ResourceID).with("outcome", string(f.Outcome)).during(f.From, f.To)
}

func (r request) during(from, to time.Time) request {
	if !from.IsZero() {
		r = r.with("from", from.UTC().Format(time.RFC3339Nano))
	}
	if !to.IsZero() {
		r = r.with("to", to.UTC().Format(time.RFC3339Nano))
	}
	return r
}

// AuditEvent returns an entry of an organization's audit trail.
func (c *Client) AuditEvent(ctx context.Context, org, id string) (*AuditEvent, error) {
	return call[AuditEvent](ctx, c, get(organization(org, "audit", id)))
}

// ListAuditEvents returns a page of an organization's audit trail, newest first.
func (c *Client) ListAuditEvents(ctx context.Context, org string, f AuditFilter, o ListOptions) (*AuditEventList, error) {
	return call[AuditEventList](ctx, c, get(organization(org, "audit")).chosen(f).page(o))
}

// AllAuditEvents walks through an organization's audit trail, newest first.
func (c *Client) AllAuditEvents(ctx context.Context, org string, f AuditFilter) iter.Seq2[AuditEvent, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]AuditEvent, string, error) {
		l, err := c.ListAuditEvents(ctx, org, f, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// ListPlatformAuditEvents returns a page of all organizations' audit trails,
// newest first. For operators.
func (c *Client) ListPlatformAuditEvents(ctx context.Context, f AuditFilter, o ListOptions) (*AuditEventList, error) {
	return call[AuditEventList](ctx, c, get(path("api/v0/audit")).chosen(f).page(o))
}

// AllPlatformAuditEvents walks through all organizations' audit trails, newest
// first. For operators.
func (c *Client) AllPlatformAuditEvents(ctx context.Context, f AuditFilter) iter.Seq2[AuditEvent, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]AuditEvent, string, error) {
		l, err := c.ListPlatformAuditEvents(ctx, f, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// longWork is how long the server may take over a whole trail.
const longWork = 10 * time.Minute

// VerifyAuditTrail has the server compute an organization's chain again.
func (c *Client) VerifyAuditTrail(ctx context.Context, org string) (*AuditVerification, error) {
	r := post(organization(org, "audit", "verify"), nil)
	r.wait = longWork
	return call[AuditVerification](ctx, c, r)
}

// ExportAuditEvents writes an organization's audit trail of a time, whose bounds
// may be zero, to w: lines of JSON, each an AuditExportLine. It fails when the
// last line, which says that the export is whole, is missing.
func (c *Client) ExportAuditEvents(ctx context.Context, org string, from, to time.Time, w io.Writer) (*AuditExportEnd, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+longWork)
	defer cancel()
	req, err := c.newRequest(ctx, get(organization(org, "audit", "export")).during(from, to), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/x-ndjson, application/problem+json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(res.Body, c.maxAnswer))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCutShort, err)
		}
		return nil, c.problem(res.StatusCode, res.Header, body, time.Now())
	}
	var end *AuditExportEnd
	for line, err := range ReadAuditExport(io.TeeReader(res.Body, w)) {
		if errors.Is(err, errExportCut) {
			return nil, fmt.Errorf("%w: %w", errCutShort, err)
		}
		if err != nil {
			return nil, err
		}
		end = &line.End
	}
	return end, nil
}

var errExportCut = errors.New("the export is cut short: the line that ends it is missing")

// maxExportLine is more than any line of an export has.
const maxExportLine = 4 << 20

// ReadAuditExport walks through the lines of an export: the start, the events and
// the end. An export that has been cut short ends with an error.
func ReadAuditExport(r io.Reader) iter.Seq2[AuditExportLine, error] {
	return func(yield func(AuditExportLine, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxExportLine)
		ended := false
		for n := 1; lines.Scan(); n++ {
			var l AuditExportLine
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil || ended {
				if err != nil && !lines.Scan() && lines.Err() == nil { // it broke off within its last line
					err = errExportCut
				} else {
					err = fmt.Errorf("line %d is none of an export: %w", n, errors.Join(err))
				}
				yield(l, err)
				return
			}
			ended = l.End.HeadHash != ""
			if !yield(l, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil || !ended {
			yield(AuditExportLine{}, errors.Join(errExportCut, err))
		}
	}
}
