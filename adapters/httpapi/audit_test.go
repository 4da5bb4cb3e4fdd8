package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
)

const auditURL = acmeURL + "/audit"

// chainOf is an organization's trail.
func chainOf(o id.Org, n int) []audit.Record {
	var at audit.Anchor
	out := make([]audit.Record, n)
	for i := range out {
		r := must(audit.Accepted(o, now, authz.Bootstrap, audit.UserCreated, "user", "usr_1", map[string]audit.Change{"role": audit.Created("admin")}).Record())
		at = at.Next(r.Body())
		r.Seq, r.Hash = at.Seq, at.Hash
		out[i] = r
	}
	return out
}

// trails are the trails of the memory, which know no filter.
type trails struct{ *memory }

func (m trails) of(o id.Org) []audit.Record {
	return slices.DeleteFunc(slices.Clone(m.trail), func(r audit.Record) bool { return r.OrgID != o })
}

func (m trails) Event(_ context.Context, o id.Org, e id.Event) (audit.Record, error) {
	for _, r := range m.of(o) {
		if r.ID == e {
			return r, nil
		}
	}
	return audit.Record{}, fault.ErrNotFound
}

func (m trails) Events(_ context.Context, o id.Org, _ audit.Filter, q page.Request) (page.Page[audit.Record], error) {
	return page.Cut(m.of(o), q.Limit, func(r audit.Record) (u uuid.UUID) { u[15] = byte(r.Seq); return u }), nil
}

func (m trails) AllEvents(_ context.Context, _ audit.Filter, q page.Request) (page.Page[audit.Record], error) {
	return page.Cut(m.trail, q.Limit, func(r audit.Record) uuid.UUID { return r.ID.UUID() }), nil
}

func (m trails) Chain(_ context.Context, o id.Org) (audit.Chain, error) {
	all := m.of(o)
	if len(all) == 0 {
		return audit.Chain{}, nil
	}
	last := all[len(all)-1]
	return audit.Chain{Head: audit.Anchor{Seq: last.Seq, Hash: last.Hash}, Last: last.Seq}, nil
}

// Links fails, if it is to, once the first batch has been read.
func (m trails) Links(_ context.Context, o id.Org, after, last int64, limit int) ([]audit.Record, error) {
	if m.trailFailure != nil && after >= int64(limit) {
		return nil, m.trailFailure
	}
	out := slices.DeleteFunc(m.of(o), func(r audit.Record) bool { return r.Seq <= after || r.Seq > last })
	return out[:min(len(out), limit)], nil
}

func (m trails) Span(_ context.Context, o id.Org, _, _ time.Time) (first, last int64, err error) {
	return min(int64(len(m.of(o))), 1), int64(len(m.of(o))), nil
}

func TestAudit(t *testing.T) {
	t.Parallel()

	t.Run("Should bind a cursor to the filter it was issued for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		list := decode[gen.AuditEventList](t, b.do(request("GET", auditURL+"?outcome=succeeded&limit=2", b.admin, "")))
		is.True(list.NextCursor != nil)
		next := "&limit=2&cursor=" + *list.NextCursor
		is.Equal(b.do(request("GET", auditURL+"?outcome=succeeded"+next, b.admin, "")).Code, 200)
		for _, other := range []string{"?outcome=refused", "?action=user.created", "?outcome=succeeded&from=2020-01-01T00:00:00Z", "?resource_type=succeeded"} {
			is.Equal(b.do(request("GET", auditURL+other+next, b.admin, "")).Code, 400)
		}
		is.Equal(b.do(request("GET", "/api/v0/audit?outcome=succeeded"+next, b.operator, "")).Code, 400)
	})

	t.Run("Should refuse a filter that is none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for _, bad := range []string{
			"actor=org_01h455vb4pex5vsknk084sn02q", "actor=usr_x", "action=x", "outcome=good", "from=yesterday", "resource_type=A", "resource_id=",
			"from=2020-01-01", "unknown=1",
		} {
			is.Equal(b.do(request("GET", auditURL+"?"+bad, b.admin, "")).Code, 400)
		}
	})

	t.Run("Should say what the verification found", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		got := decode[gen.AuditVerification](t, b.call("verifyAuditTrail"))
		head := b.memory.trail[2]
		is.Equal(got, gen.AuditVerification{Valid: true, Checked: 3, FromSeq: 1, HeadSeq: 3, HeadHash: head.Hash.String()})
		b.memory.trail[1].Action = "user.kept"
		got = decode[gen.AuditVerification](t, b.call("verifyAuditTrail"))
		is.Equal(got.Valid, false)
		is.Equal(*got.FirstBadSeq, int64(2))
	})

	t.Run("Should export lines that begin and end, each of them JSON", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		w := b.call("exportAuditEvents")
		is.Equal(w.Code, 200)
		is.Equal(w.Header().Get("Content-Type"), "application/x-ndjson")
		lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
		is.Equal(len(lines), 5)
		parsed := make([]gen.AuditExportLine, len(lines))
		for i, l := range lines {
			is.NoErr(json.Unmarshal([]byte(l), &parsed[i]))
		}
		is.Equal(parsed[0].Start.AfterSeq, int64(0))
		is.Equal(parsed[1].Event.Seq, int64(1))
		is.Equal(string(parsed[1].Event.Changes), `{"role":{"after":"admin"}}`)
		is.Equal(*parsed[4].End, gen.AuditExportEnd{
			Count: 3, LastSeq: 3, LastHash: parsed[3].Event.Hash, HeadSeq: 3, HeadHash: b.memory.trail[2].Hash.String(),
		})
	})

	t.Run("Should refuse an export as anything else is refused", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		w := b.do(request("GET", auditURL+"/export?from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", b.admin, ""))
		is.Equal(w.Code, 400)
		is.Equal(w.Header().Get("Content-Type"), "application/problem+json")
	})

	t.Run("Should cut an export off that can not be finished, and log why", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.trail, b.memory.trailFailure = chainOf(b.acme.ID(), 600), errors.New("the database is gone")
		server := httptest.NewServer(b.server)
		defer server.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+auditURL+"/export", nil)
		is.NoErr(err)
		req.Header.Set("Authorization", "Bearer "+b.admin)
		res, err := server.Client().Do(req)
		is.NoErr(err)
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		is.True(err != nil) // not a clean end
		is.True(strings.Contains(b.log.String(), "the database is gone"))
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()

	t.Run("Should count what was refused, and nothing else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.Equal(b.do(request("GET", orgsURL, b.admin, "")).Code, 403)
		is.Equal(b.do(request("GET", usersURL, "", "")).Code, 401)
		is.Equal(b.do(request("GET", usersURL, "bhk_nonsense", "")).Code, 401)
		is.Equal(b.do(request("GET", usersURL, b.admin, "")).Code, 200)
		is.Equal(b.do(request("GET", "/api/v0/organizations/nothere/users", b.admin, "")).Code, 404)
		is.Equal(b.do(request("GET", "/nothere", "", "")).Code, 404)
		b.server.refusals.Flush(t.Context())
		var got []string
		for _, e := range b.memory.written {
			got = append(got, fmt.Sprintf("%t %s %s %s %s %d %t", e.OrgID == b.acme.ID(), e.Action, e.ResourceType, e.ResourceID,
				e.Changes["reason"].After, e.Count, e.Actor.Origin().RequestID != ""))
		}
		slices.Sort(got)
		is.Equal(got, []string{
			"false access.unauthenticated apikey  malformed 1 true", "false access.unauthenticated apikey  missing 1 true",
			"true access.refused operation listOrganizations auth.forbidden 1 true",
		})
	})

	t.Run("Should not be filled by 100,000 bad requests", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.limited(perMinute(1e9, 1e9), nil)
		const n = 100_000
		for i := range n {
			key := b.admin
			if i%2 == 0 {
				key = "bhk_" + strconv.Itoa(i)
			}
			is.True(b.do(request("GET", orgsURL+"?limit=1", key, "")).Code/100 == 4)
		}
		b.server.refusals.Flush(t.Context())
		is.Equal(len(b.memory.written), 2)
		is.Equal(b.memory.written[0].Count+b.memory.written[1].Count, int64(n))
	})
}
