package namespaces

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// lookEvery is how often a process looks whether it is its turn.
	lookEvery = 2 * time.Second
	// turnLimit bounds one turn, and lease is for how long nobody else takes it.
	turnLimit, lease = time.Minute, 90 * time.Second
	// orgsAtOnce and namespacesAtOnce are how many a turn looks at, and breath is the
	// pause before the next one: Temporal has other things to do.
	orgsAtOnce, namespacesAtOnce = 25, 100
	breath                       = time.Second
	// retryEvery is the pause after a turn that has failed.
	retryEvery = 10 * time.Second
	// unready is how soon to look again at an organization that is being provisioned.
	unready = 2 * time.Second
)

// Policy says what is done about namespaces that are not as they must be.
type Policy struct {
	ReportOnly bool          // nothing is repaired that nobody has asked for
	Every      time.Duration // the pause between two passes
}

// Watch looks after the namespaces of all organizations.
type Watch struct {
	finder
	passes ports.NamespacePasses
	meter  ports.NamespaceMeter
	policy Policy
	log    *slog.Logger
}

// NewWatch returns the service. standard is for organizations that have decided nothing.
func NewWatch(
	store ports.Store, platform ports.Platform, namespaces ports.Namespaces, passes ports.NamespacePasses,
	standard namespace.Standard, policy Policy, clock ports.Clock, meter ports.NamespaceMeter, log *slog.Logger,
) *Watch {
	k := &keeper{store: store, namespaces: namespaces, standard: standard, clock: clock}
	return &Watch{finder: finder{k, platform}, passes: passes, meter: meter, policy: policy, log: log}
}

// Run takes turns until ctx ends. Any number of processes may do so: together they look
// at each namespace once in a pass.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if _, err := w.Turn(ctx); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "namespaces not looked after; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Turn takes the pass over all namespaces one page further, if that is due and no other
// process does, which it tells. First come the organizations, then the namespaces that
// Temporal has.
func (w *Watch) Turn(ctx context.Context) (taken bool, err error) {
	p, mine, err := w.passes.Claim(ctx, w.clock.Now(), lease)
	if err != nil || !mine {
		w.report(p)
		return false, err
	}
	bounded, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	next, failure := w.advance(bounded, p)
	if failure != nil {
		next = p // what it has counted is counted again
		next.DueAt = w.clock.Now().Add(retryEvery)
	}
	if _, err := w.passes.Save(ctx, next); err != nil {
		return true, err
	}
	w.report(next)
	return true, failure
}

// report tells what the last whole pass has counted. Each process does, so that it does
// not matter which of them is asked.
func (w *Watch) report(p namespace.Pass) {
	if !p.EndedAt.IsZero() {
		w.meter.NamespacesSeen(p.Last, p.EndedAt)
	}
}

// atTemporal begins the cursors of the second half of a pass.
const atTemporal = "temporal:"

// advance looks at a page.
func (w *Watch) advance(ctx context.Context, p namespace.Pass) (namespace.Pass, error) {
	if token, ok := strings.CutPrefix(p.Cursor, atTemporal); ok {
		return w.listed(ctx, p, token)
	}
	after := uuid.Nil
	if p.Cursor != "" {
		var err error
		if after, err = uuid.Parse(p.Cursor); err != nil {
			return p, fault.ErrInternal.Because(err)
		}
	}
	found, err := w.platform.Orgs(ctx, org.Filter{}, page.Request{Limit: orgsAtOnce, After: after})
	if err != nil {
		return p, err
	}
	for _, row := range found.Items {
		if err := w.look(ctx, row, &p.Tally); err != nil {
			return p, err
		}
	}
	p.Cursor, p.DueAt = atTemporal, w.clock.Now().Add(breath)
	if found.Next != uuid.Nil {
		p.Cursor = found.Next.String()
	}
	return p, nil
}

// look compares an organization's namespace with its blueprint, and repairs it. It fails
// when there is no point in looking at another one: what is away, or busy, would be so
// for all, and a pass that has seen nothing must not say that all is well.
func (w *Watch) look(ctx context.Context, row org.Org, t *namespace.Tally) error {
	if !hasNamespace(row) {
		return nil
	}
	b, err := w.blueprint(row)
	if err != nil {
		return err
	}
	v, err := w.mend(ctx, b)
	switch {
	case err != nil && (ctx.Err() != nil || fault.Passes(err)):
		return err
	case err != nil:
		t.Drifted++
		w.log.WarnContext(ctx, "namespace not repaired", "organization", row.ID().String(), "error", err)
		return nil
	}
	_, missing, err := w.ofOrganization(ctx, b, v.State)
	switch {
	case err != nil:
		return err
	case missing:
		t.Missing++
	case v.State.Status == namespace.Registered && len(v.Drift) > 0:
		t.Drifted++
	}
	return nil
}

// mend repairs a namespace, unless that is not wanted.
func (w *Watch) mend(ctx context.Context, b namespace.Blueprint) (View, error) {
	if w.policy.ReportOnly {
		return w.view(ctx, b)
	}
	return w.apply(ctx, b)
}

func (w *Watch) apply(ctx context.Context, b namespace.Blueprint) (View, error) {
	v, repaired, err := w.repair(ctx, authz.Reconciler, b)
	if repaired {
		w.meter.NamespaceRepaired()
	}
	return v, err
}

// listed looks at a page of the namespaces that Temporal has.
func (w *Watch) listed(ctx context.Context, p namespace.Pass, at string) (namespace.Pass, error) {
	token, err := base64.RawURLEncoding.DecodeString(at)
	if err != nil {
		return p, fault.ErrInternal.Because(err)
	}
	found, err := w.namespaces.All(ctx, page.TokenRequest{Limit: namespacesAtOnce, Token: token})
	if err != nil {
		return p, err
	}
	for _, f := range found.Items {
		_, orphaned, err := w.ofNamespace(ctx, f)
		if err != nil {
			return p, err
		}
		if orphaned {
			p.Tally.Orphaned++
		}
	}
	now := w.clock.Now()
	if found.Next == nil {
		return p.End(now, w.policy.Every), nil
	}
	p.Cursor, p.DueAt = atTemporal+base64.RawURLEncoding.EncodeToString(found.Next), now.Add(breath)
	return p, nil
}

// Review makes an organization's namespace as it must be after that was changed, and
// returns after which pause to look again; zero: not at all. It was asked for, and so
// happens whatever the policy.
func (w *Watch) Review(ctx context.Context, p outbox.NamespacePayload) (time.Duration, error) {
	row, err := w.store.Reads(p.Organization).Org(ctx)
	switch {
	case fault.IsKind(err, fault.NotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case row.State() == org.Provisioning:
		return unready, nil // its namespace may have been registered as it was to be before
	case !hasNamespace(row):
		return 0, nil
	}
	b, err := w.blueprint(row)
	if err != nil {
		return 0, err
	}
	_, err = w.apply(ctx, b)
	return 0, err
}
