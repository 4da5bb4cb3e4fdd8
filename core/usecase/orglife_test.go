package usecase_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

func TestOrgsUpdate(t *testing.T) {
	t.Parallel()

	t.Run("Should tell the trail what is different, and change nothing twice", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		name, settings := "Acme Corp.", org.Settings{DeletionGraceDays: 3}
		in := orgs.UpdateInput{Name: &name, Settings: &settings, Version: 1}
		got, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, in)
		is.NoErr(err)
		is.Equal(got, w.orgOf(o))
		trail := w.trail()
		is.Equal(len(trail), 1)
		is.Equal(trail[0].Action, audit.OrganizationUpdated.String())
		is.Equal(trail[0].Changes, map[string]audit.Change{
			"name": {Before: "acme", After: "Acme Corp."}, "settings.deletion_grace_days": {After: 3.0},
		})
		_, err = s.orgs.Update(t.Context(), holder(o, authz.Admin), o, in)
		is.True(errors.Is(err, fault.ErrStale))
		in.Version = 0
		before := w.contents()
		_, err = s.orgs.Update(t.Context(), holder(o, authz.Admin), o, in)
		is.NoErr(err)
		is.Equal(w.contents(), before)
	})

	t.Run("Should change the slug for operators alone, who learn that it is taken", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		w.addOrg("globex", org.Active)
		taken, free := "globex", "acme-2"
		for _, slug := range []string{taken, free} {
			_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{Slug: &slug})
			is.Equal(err, error(fault.ErrForbidden))
		}
		_, err := s.orgs.Update(t.Context(), operator(), o, orgs.UpdateInput{Slug: &taken})
		is.True(errors.Is(err, org.ErrSlugTaken))
		_, err = s.orgs.Update(t.Context(), operator(), o, orgs.UpdateInput{Slug: &free})
		is.NoErr(err)
		got, err := s.orgs.Resolve(t.Context(), operator(), free)
		is.NoErr(err)
		is.Equal(got, o)
		_, err = s.orgs.Resolve(t.Context(), operator(), "acme")
		is.True(errors.Is(err, fault.ErrNotFound))
	})
}

func TestOrgsPool(t *testing.T) {
	t.Parallel()
	t.Run("Should let operators alone choose whose workers serve it, and write that down", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		gold, wrong := "gold", "Gold"
		_, err := s.orgs.Update(t.Context(), holder(o, authz.Admin), o, orgs.UpdateInput{WorkerPool: &gold})
		is.Equal(err, error(fault.ErrForbidden))
		_, err = s.orgs.Update(t.Context(), operator(), o, orgs.UpdateInput{WorkerPool: &wrong})
		is.Equal(fault.From(err).Fields[0].Pointer, "/worker_pool")
		got, err := s.orgs.Update(t.Context(), operator(), o, orgs.UpdateInput{WorkerPool: &gold})
		is.NoErr(err)
		is.Equal(got.Snapshot().WorkerPool, gold)
		trail := w.trail()
		is.Equal(trail[len(trail)-1].Changes["worker_pool"].After, gold)

		made, err := s.orgs.Create(t.Context(), operator(), orgs.CreateInput{Slug: "globex", WorkerPool: gold, Admin: orgs.FirstAdmin{Email: "a@x.example"}})
		is.NoErr(err)
		is.Equal(made.Org.Snapshot().WorkerPool, gold)
	})
}

func TestOrgsSuspend(t *testing.T) {
	t.Parallel()

	t.Run("Should take keys, tokens and assignments, and give back exactly that", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		o := w.addOrg("acme", org.Active)
		u := w.addUser(o, authz.Admin, user.Active)
		secret, err := apikey.NewSecret(random)
		is.NoErr(err)
		w.addKey(apikey.Snapshot{
			ID: id.New[id.APIKeyKind](), OrgID: o, UserID: u, Name: "k", Hash: peppers(t).Hash(secret), State: apikey.Active,
			Version: 1, CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
		})
		must(t, s.tokens.Rotate(t.Context(), false))
		works := func() [3]bool {
			_, noKey := s.auth.Authenticate(t.Context(), secret.Reveal(), netip.Addr{})
			_, noToken := s.tokens.Exchange(t.Context(), operator(), o, signing.Write)
			l, err := s.assignments.List(t.Context(), operator(), assignments.Question{}, "", 0)
			is.NoErr(err)
			return [3]bool{noKey == nil, noToken == nil, len(l.Items) == 1}
		}
		all, none := [3]bool{true, true, true}, [3]bool{}
		is.Equal(works(), all)
		got, err := s.orgs.Suspend(t.Context(), operator(), o, "unpaid")
		is.NoErr(err)
		is.Equal(got.Snapshot().StateReason, "unpaid")
		is.Equal(works(), none)
		_, err = s.orgs.Resume(t.Context(), operator(), o)
		is.NoErr(err)
		is.Equal(works(), all)
		trail := w.trail()
		is.Equal(trail[0].Action, audit.OrganizationSuspended.String())
		is.Equal(trail[0].Changes["reason"], audit.Created("unpaid"))
		is.Equal(trail[1].Action, audit.OrganizationResumed.String())
	})
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	setup := func(t *testing.T) (*world, services, id.Org, outbox.DeletionPayload) {
		t.Helper()
		w := newWorld(t)
		o := w.addOrg("acme", org.Active)
		w.addUser(o, authz.Admin, user.Active)
		w.temporal.namespace = registered(o)
		return w, newServices(w), o, outbox.DeletionPayload{Organization: o}
	}
	begin := func(t *testing.T, s services, o id.Org) id.Operation {
		t.Helper()
		d, err := s.orgs.Delete(t.Context(), operator(), o, orgs.DeleteInput{Confirm: "acme"})
		must(t, err)
		return d.Operation.Snapshot().ID
	}
	steps := func(s services, p outbox.DeletionPayload) []func(context.Context) error {
		var all []func(context.Context) error
		for _, step := range []func(context.Context, outbox.DeletionPayload, int) error{
			s.deletion.StopProvisioning, s.deletion.DeleteNamespace, s.deletion.AwaitReclaim, s.deletion.Purge, s.deletion.Finish,
		} {
			all = append(all, func(ctx context.Context) error { return step(ctx, p, 1) })
		}
		return all
	}

	t.Run("Should delete the schedules before the namespace, and nothing while that fails", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, p := setup(t)
		temporal := newPlanner(w.temporal)
		for _, i := range []string{"a", "b", "c"} {
			temporal.put(i, false, "")
		}
		steps := deletion.New(w.store, w.temporal, temporal, w.temporal, w.clock)
		begin(t, s, o)
		w.clock.advance(week)
		_, err := steps.Plan(t.Context(), p)
		is.NoErr(err)
		namespace := w.namespaceOf(o)
		w.breaks("Schedules.DeleteAll "+namespace, fault.ErrTimeout) // they are many
		is.True(errors.Is(steps.DeleteNamespace(t.Context(), p, 1), fault.ErrTimeout))
		is.Equal(w.count("Delete "+namespace+" of "+o.String()), 0)
		w.mends("Schedules.DeleteAll " + namespace)
		w.forget()
		is.NoErr(steps.DeleteNamespace(t.Context(), p, 2))
		is.Equal(len(temporal.there), 0)
		calls := slices.DeleteFunc(w.called(), func(c string) bool { return !strings.Contains(c, namespace) })
		is.Equal(calls, []string{"State " + namespace, "Schedules.DeleteAll " + namespace, "Delete " + namespace + " of " + o.String()})
	})

	t.Run("Should lead to a tombstone, each step twice over", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, p := setup(t)
		namespace := w.namespaceOf(o)
		op := begin(t, s, o)
		plan, err := s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		is.Equal(plan.Wait, week)
		for _, step := range steps(s, p) {
			is.True(errors.Is(step(t.Context()), org.ErrState)) // nothing happens inside the grace
		}
		is.Equal(w.count("Delete "+namespace+" of "+o.String()), 0)

		w.clock.advance(week)
		for range 2 {
			plan, err = s.deletion.Plan(t.Context(), p)
			is.NoErr(err)
			is.Equal(plan.Wait, time.Duration(0))
			is.True(!plan.Over)
		}
		_, err = s.orgs.Restore(t.Context(), operator(), o)
		is.True(errors.Is(err, org.ErrGraceOver))
		for _, step := range steps(s, p) {
			for range 2 {
				is.NoErr(step(t.Context()))
			}
		}
		row := w.orgOf(o)
		is.Equal(row.State(), org.Deleted)
		is.Equal(row.Namespace(), namespace)
		is.Equal(w.rows("users", "api_keys", "outbox"), 0)
		ended := w.operationOf(o, op)
		is.Equal(ended.Snapshot().State, operation.Succeeded)
		is.Equal(ended.Snapshot().Step, operation.OrganizationDeleted)
		trail := w.trail()
		is.Equal(len(trail), 2)
		is.Equal(trail[0].Action, audit.OrganizationDeletionRequested.String())
		is.Equal(trail[1].Action, audit.OrganizationDeleted.String())
		is.Equal(trail[1].Actor, whoIs(authz.Remover))
		plan, err = s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		is.True(plan.Over)
		_, err = s.orgs.Create(t.Context(), operator(), orgs.CreateInput{Slug: "acme", Admin: orgs.FirstAdmin{Email: "a@x"}})
		is.True(errors.Is(err, org.ErrSlugTaken)) // for ever
	})

	t.Run("Should be over when it was taken back, and begin anew", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, p := setup(t)
		first := begin(t, s, o)
		_, err := s.orgs.Restore(t.Context(), operator(), o)
		is.NoErr(err)
		plan, err := s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		is.True(plan.Over)
		canceled := w.operationOf(o, first)
		is.Equal(canceled.Snapshot().State, operation.Canceled)
		is.Equal(w.stateOf(o), org.Suspended)
		second := begin(t, s, o)
		is.True(second != first)
		d, err := s.orgs.Delete(t.Context(), operator(), o, orgs.DeleteInput{Confirm: "acme", Now: true})
		is.NoErr(err)
		is.Equal(d.Operation.Snapshot().ID, second) // hastened
		plan, err = s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		is.Equal(plan.Wait, time.Duration(0))
	})

	t.Run("Should end a provisioning, whose steps then do nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		p := w.addProvisioning("acme")
		_, err := s.orgs.Delete(t.Context(), operator(), p.Organization, orgs.DeleteInput{Confirm: "acme", Now: true})
		is.NoErr(err)
		is.Equal(w.progress(p).State, operation.Canceled)
		before := w.contents()
		is.True(errors.Is(s.provisioning.EnsureNamespace(t.Context(), p, 1), org.ErrState))
		is.NoErr(s.provisioning.Fail(t.Context(), p, org.ErrState))
		is.Equal(w.contents(), before)
		d := outbox.DeletionPayload{Organization: p.Organization}
		_, err = s.deletion.Plan(t.Context(), d)
		is.NoErr(err)
		w.breaks("ProvisioningEnded "+p.Organization.String(), fault.ErrUnavailable)
		is.True(errors.Is(s.deletion.StopProvisioning(t.Context(), d, 1), fault.ErrUnavailable)) // it waits
	})

	t.Run("Should fail once, and be tried again as an operation of its own", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w, s, o, p := setup(t)
		op := begin(t, s, o)
		w.clock.advance(week)
		_, err := s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		for range 2 {
			is.NoErr(s.deletion.Fail(t.Context(), p, ports.ErrNamespaceForeign))
		}
		is.Equal(len(w.trail()), 2)
		failed := w.operationOf(o, op)
		is.Equal(failed.Snapshot().FailureCode, "namespace.foreign")
		plan, err := s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		is.True(plan.Over)
		again, err := s.operations.Retry(t.Context(), operator(), op)
		is.NoErr(err)
		is.Equal(again.Snapshot().RetryOf, op)
		_, err = s.operations.Retry(t.Context(), operator(), op)
		is.True(errors.Is(err, operation.ErrNotRetryable))
		plan, err = s.deletion.Plan(t.Context(), p)
		is.NoErr(err)
		is.True(!plan.Over)
	})

	t.Run("Should leave nothing half-done when it fails at a port", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, port := range []string{"Orgs.Update", "Operations.Insert", "Audit.Append", "Outbox.Append", "Commit"} {
			w, s, o, _ := setup(t)
			w.breaks(port, fault.ErrUnavailable)
			before := w.contents()
			_, err := s.orgs.Delete(t.Context(), operator(), o, orgs.DeleteInput{Confirm: "acme"})
			is.True(errors.Is(err, fault.ErrUnavailable))
			is.Equal(w.contents(), before)
		}
	})
}

func TestRetryProvisioning(t *testing.T) {
	t.Parallel()

	t.Run("Should begin another attempt once, for those of the organization", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := newWorld(t)
		s := newServices(w)
		p := w.addProvisioning("acme")
		is.NoErr(s.provisioning.Fail(t.Context(), p, ports.ErrNamespaceForeign))
		again, err := s.operations.Retry(t.Context(), holder(p.Organization, authz.Admin), p.Operation)
		is.NoErr(err)
		is.Equal(again.Snapshot().RetryOf, p.Operation)
		is.Equal(w.stateOf(p.Organization), org.Provisioning)
		_, err = s.operations.Retry(t.Context(), holder(p.Organization, authz.Admin), p.Operation)
		is.True(errors.Is(err, operation.ErrNotRetryable))
		_, err = s.operations.Retry(t.Context(), holder(w.addOrg("other", org.Active), authz.Admin), p.Operation)
		is.Equal(err, error(fault.ErrNotFound))
	})
}
