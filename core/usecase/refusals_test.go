package usecase_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/usecase/refusals"
)

func failed(why authz.FailureReason, o id.Org, k id.APIKey) error {
	return fault.ErrUnauthenticated.Because(&authz.CredentialError{Reason: why, Org: o, Key: k})
}

func nobodyFrom(ip string) authz.Actor {
	return authz.Actor{}.From(authz.Origin{RequestID: "req-" + ip, IP: netip.MustParseAddr(ip)})
}

// sums returns the rows and the counts of an organization's refusals.
func (w *world) sums(o id.Org) (rows, times int) {
	w.t.Helper()
	got := selected(w, pgx.RowToStructByPos[struct{ Rows, Times int }],
		`SELECT count(*), coalesce(sum(count), 0)::bigint FROM audit_events WHERE org_id = $1 AND outcome = 'refused'`, o.UUID())
	return got[0].Rows, got[0].Times
}

func TestRefusals(t *testing.T) {
	t.Parallel()

	t.Run("Should write one entry for refusals of one kind, with how many there were and where the first came from", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Viewer)
		for range 3 {
			s.refusals.Forbidden(by, "createUser", "auth.forbidden")
		}
		s.refusals.Forbidden(by, "createAPIKey", "auth.forbidden")
		is.Equal(len(w.called()), 0) // nothing is asked on the request's path
		s.refusals.Flush(t.Context())
		got := w.trail()
		is.Equal(len(got), 2)
		for _, l := range got {
			is.Equal(l.Org, o)
			is.Equal(l.Action, "access.refused")
			is.Equal(l.Outcome, "refused")
			is.Equal(l.Actor.Key, by.Key())
			is.Equal(l.Actor.RequestID, "req-1")
			is.Equal(l.ResourceType, "operation")
			is.Equal(l.Changes, map[string]audit.Change{"reason": audit.Created("auth.forbidden")})
		}
		rows, times := w.sums(o)
		is.Equal([2]int{rows, times}, [2]int{2, 4})
		s.refusals.Flush(t.Context())
		rows, _ = w.sums(o)
		is.Equal(rows, 2) // once
	})

	t.Run("Should put a key that is no good into its organization's trail, and what is nobody's into the system's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		o, k := w.addOrg("own", org.Active), id.New[id.APIKeyKind]()
		s.refusals.Unauthenticated(nobodyFrom("192.0.2.7"), failed(authz.KeyUnusable, o, k))
		s.refusals.Unauthenticated(nobodyFrom("192.0.2.8"), failed(authz.KeyUnknown, id.Org{}, id.APIKey{}))
		s.refusals.Unauthenticated(nobodyFrom("192.0.2.9"), fault.ErrUnauthenticated)
		s.refusals.Flush(t.Context())
		reasons := map[string]line{}
		for _, l := range w.trail() {
			is.Equal(l.Action, "access.unauthenticated")
			is.Equal(l.Actor.Kind, "nobody")
			reasons[fmt.Sprint(l.Changes["reason"].After)] = l
		}
		is.Equal(len(reasons), 3)
		is.Equal(reasons["not_active"].Org, o)
		is.Equal(reasons["not_active"].ResourceID, k.String())
		is.Equal(reasons["not_active"].Actor.IP, netip.MustParseAddr("192.0.2.7"))
		is.Equal(reasons["unknown"].Org, id.SystemOrg)
		is.Equal(reasons["unknown"].ResourceID, "")
		is.Equal(reasons["missing"].Org, id.SystemOrg)
	})

	t.Run("Should say of every key why it was refused, to the trail alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		now := w.clock.Now()
		for want, c := range map[authz.FailureReason]apikey.Credential{
			authz.KeyUnusable:   {State: apikey.Revoked, OrgActive: true, UserOK: true},
			authz.KeyExpired:    {State: apikey.Active, OrgActive: true, UserOK: true, ExpiresAt: now},
			authz.OrgUnusable:   {State: apikey.Active, UserOK: true},
			authz.OwnerUnusable: {State: apikey.Active, OrgActive: true},
			authz.AddressUnusable: {
				State: apikey.Active, OrgActive: true, UserOK: true, AllowedIPs: apikey.IPList{netip.MustParsePrefix("192.0.2.0/24")},
			},
		} {
			is.Equal(apikey.Judge(c, apikey.Presented{Now: now}).Reason(), want)
		}
	})

	t.Run("Should survive 100,000 refusals with a bounded number of rows, and count each", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		w.addSystem()
		o := w.addOrg("own", org.Active)
		keys := make([]id.APIKey, 500)
		for i := range keys {
			keys[i] = id.New[id.APIKeyKind]()
		}
		const each = 12_500
		done := make(chan struct{})
		for range 8 {
			go func() {
				defer func() { done <- struct{}{} }()
				by := holder(o, authz.Viewer) // a key of its own
				for i := range each {
					switch i % 4 {
					case 0:
						s.refusals.Forbidden(by, fmt.Sprintf("operation%d", i%97), "auth.forbidden")
					case 1: // with many old keys
						s.refusals.Unauthenticated(nobodyFrom("192.0.2.1"), failed(authz.KeyUnusable, o, keys[i%len(keys)]))
					case 2:
						s.refusals.Unauthenticated(nobodyFrom("192.0.2.1"), failed(authz.KeyMalformed, id.Org{}, id.APIKey{}))
					default: // with keys that were guessed
						s.refusals.Unauthenticated(nobodyFrom("192.0.2.1"), failed(authz.KeyUnknown, id.Org{}, id.APIKey{}))
					}
				}
			}()
		}
		for range 8 {
			<-done
		}
		s.refusals.Flush(t.Context())
		rows, times := w.sums(o)
		is.Equal(times, 8*each/2)
		is.True(rows > 2 && rows <= refusals.MaxKinds)
		rows, times = w.sums(id.SystemOrg)
		is.Equal(times, 8*each/2)
		is.Equal(rows, 2)
	})

	t.Run("Should keep no more than there is room for, and say in the log how many it did not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		for range refusals.MaxWaiting + 7 {
			s.refusals.Forbidden(holder(id.New[id.OrgKind](), authz.Viewer), "x", "y")
		}
		w.breaks("WriteTx", fault.ErrUnavailable)
		s.refusals.Flush(t.Context())
		is.True(strings.Contains(w.log.String(), "count=7"))
		is.Equal(w.rows("audit_events"), 0)
	})

	t.Run("Should write later what could not be written, and at the end of the process", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("own", org.Active)
		by := holder(o, authz.Viewer)
		s.refusals.Forbidden(by, "x", "y")
		w.breaks("WriteTx", fault.ErrUnavailable)
		s.refusals.Flush(t.Context())
		w.mends("WriteTx")
		s.refusals.Forbidden(by, "x", "y")
		ended, end := context.WithCancelCause(t.Context())
		end(errors.New("asked to end"))
		s.refusals.Run(ended)
		rows, times := w.sums(o)
		is.Equal([2]int{rows, times}, [2]int{1, 2})
	})
}
