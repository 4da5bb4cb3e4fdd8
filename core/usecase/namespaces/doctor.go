package namespaces

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// checkLimit bounds one check, canaryLimit that of the canary, which waits for
	// visibility, and examineLimit all of them: less than a request may take.
	checkLimit   = 4 * time.Second
	canaryLimit  = 6 * time.Second
	examineLimit = 12 * time.Second
)

// Examine proves that an organization works, from its row to a workflow that is
// completed in its namespace, and looks for workers on its task queues: those that are
// named, and those that its workflows and schedules use. A check that needs what has
// failed is skipped. Nothing is left behind. It fails with org.ErrReserved,
// org.ErrState for an organization that is gone, and fault.ErrInvalid.
func (s *Service) Examine(ctx context.Context, by authz.Actor, o id.Org, queues []string) ([]namespace.Check, error) {
	if err := by.Require(authz.OrganizationsUpdate, o); err != nil {
		return nil, err
	}
	if err := checkQueues(queues); err != nil {
		return nil, err
	}
	row, err := s.store.Reads(o).Org(ctx)
	if err != nil {
		return nil, err
	}
	b, err := s.blueprint(row)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, examineLimit)
	defer cancel()
	e := &examination{Service: s, org: row.Snapshot(), blueprint: b}
	e.run(ctx, "organization", e.organization)
	e.run(ctx, "namespace", e.registered)
	e.run(ctx, "drift", e.drift)
	e.run(ctx, "token", e.token)
	e.runWithin(ctx, canaryLimit, "canary", e.canary)
	e.queues = queues
	e.run(ctx, "task_queues", e.collect)
	for _, q := range e.queues {
		e.run(ctx, "task_queue "+q, func(ctx context.Context) finding { return e.pollers(ctx, q) })
	}
	return e.checks, nil
}

// finding is what a check found.
type finding struct {
	verdict        namespace.Verdict
	detail, repair string
}

func well(detail string) finding { return finding{verdict: namespace.OK, detail: detail} }

// broken is a failure, of which only the public text is told.
func broken(err error, repair string) finding {
	return finding{verdict: namespace.Failed, detail: fault.From(err).Public, repair: repair}
}

// examination is one organization's.
type examination struct {
	*Service
	org       org.Snapshot
	blueprint namespace.Blueprint
	state     namespace.State
	queues    []string // that are looked at
	stopped   bool     // the rest has nothing to stand on
	checks    []namespace.Check
}

func (e *examination) run(ctx context.Context, name string, check func(context.Context) finding) {
	e.runWithin(ctx, checkLimit, name, check)
}

func (e *examination) runWithin(ctx context.Context, limit time.Duration, name string, check func(context.Context) finding) {
	if e.stopped {
		e.checks = append(e.checks, namespace.Check{Name: name, Verdict: namespace.Skipped, Detail: "What it needs has failed."})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := e.clock.Now()
	f := check(ctx)
	e.checks = append(e.checks, namespace.Check{
		Name: name, Verdict: f.verdict, Detail: f.detail, Repair: f.repair, Duration: e.clock.Now().Sub(begun),
	})
}

func (e *examination) organization(context.Context) finding {
	if e.org.State == org.Active {
		return well("The organization is active.")
	}
	e.stopped = true
	repair := "See why: bulkhead org show " + e.org.Slug
	if e.org.State == org.Suspended {
		repair = "An operator resumes it: bulkhead org resume " + e.org.Slug
	}
	return finding{namespace.Failed, "The organization is " + e.org.State.String() + ".", repair}
}

func (e *examination) registered(ctx context.Context) finding {
	var err error
	if e.state, err = e.namespaces.State(ctx, e.blueprint.Namespace); err != nil {
		e.stopped = true
		return broken(err, "See whether Temporal answers: bulkhead org diff "+e.org.Slug)
	}
	for _, d := range namespace.Diff(e.blueprint, e.state) {
		if d.Field == namespace.FieldStatus {
			e.stopped = true
			return finding{namespace.Failed, "The namespace " + e.blueprint.Namespace + " is " + d.Have + ".", d.Repair}
		}
	}
	return well("The namespace " + e.blueprint.Namespace + " is registered, and the organization's.")
}

func (e *examination) drift(context.Context) finding {
	var fields []string
	ds := namespace.Diff(e.blueprint, e.state)
	for _, d := range ds {
		fields = append(fields, d.Field)
	}
	switch {
	case len(ds) == 0:
		return well("The namespace is as it must be, with its search attributes.")
	case namespace.Repairable(ds):
		return finding{namespace.Failed, "Not as it must be: " + strings.Join(fields, ", ") + ".", "Repair it: bulkhead org reconcile " + e.org.Slug}
	}
	return finding{namespace.Failed, "Not as it must be: " + strings.Join(fields, ", ") + ".", ds[0].Repair}
}

func (e *examination) token(ctx context.Context) finding {
	if err := e.namespaces.Confined(ctx, e.blueprint.Namespace); err != nil {
		e.stopped = !errors.Is(err, ports.ErrTokenNotConfined) // the rest is done with such a token
		return broken(err, "An operator must see to the authorization of Temporal's frontend: docs/deployment/multi-tenant-setup.md")
	}
	return well("A data-plane token is accepted on the namespace, and refused on another.")
}

func (e *examination) canary(ctx context.Context) finding {
	came, err := e.namespaces.Canary(ctx, e.blueprint.Namespace)
	var told []string
	for _, step := range []struct {
		done   string
		at     time.Duration
		repair string
	}{
		{"started", came.Started, "Repair the namespace, then look again: bulkhead org reconcile " + e.org.Slug},
		{"read with its search attributes", came.Read, "An operator must see to Temporal's history service."},
		{"completed by a worker", came.Completed, "An operator must see to Temporal's matching service: tasks do not come to those who poll for them."},
		{"listed", came.Listed, "An operator must see to Temporal's visibility store: what runs is not found there."},
	} {
		if step.at == 0 && err != nil {
			f := broken(err, step.repair)
			f.detail = "A workflow was " + strings.Join(append(told, "not "+step.done), ", ") + ". " + f.detail
			return f
		}
		told = append(told, step.done+" after "+milliseconds(step.at))
	}
	return well("A workflow was " + strings.Join(told, ", ") + ".")
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}

func (e *examination) pollers(ctx context.Context, queue string) finding {
	n, err := e.namespaces.Pollers(ctx, e.blueprint.Namespace, queue)
	switch {
	case err != nil:
		return broken(err, "See whether Temporal answers: bulkhead org diff "+e.org.Slug)
	case n == 0:
		return finding{namespace.Warning, "No worker polls the task queue.", "Start a worker that serves it: docs/deployment/multi-tenant-setup.md"}
	}
	return well(fmt.Sprintf("Polled by %d workers.", n))
}
