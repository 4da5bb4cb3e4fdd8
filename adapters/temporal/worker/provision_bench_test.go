package worker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/temporal"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// activations tells when each organization became active.
type activations struct {
	*steps
	done chan struct{}
}

func (a *activations) Activate(context.Context, outbox.ProvisionPayload, int) error {
	a.done <- struct{}{}
	return nil
}

// BenchmarkProvision compares the durable provisioning of an organization with
// the least that anybody would have to do by hand: to register its namespace
// with its search attributes, and to start a first workflow.
func BenchmarkProvision(b *testing.B) {
	s := setup(b)
	b.Run("by hand", func(b *testing.B) {
		dispatcher := temporal.NewDispatcher(s.conn)
		actor := authz.NewKeyActor(authz.KeyHolder{Org: id.New[id.OrgKind](), Key: id.New[id.APIKeyKind](), Role: authz.Member})
		measure(b, func() {
			org := id.New[id.OrgKind]()
			name := namespaceOf(org)
			err := s.steps.namespaces.Ensure(b.Context(), namespace.Blueprint{Namespace: name, Owner: org, Retention: 24 * time.Hour})
			if err == nil {
				err = s.steps.namespaces.EnsureSearchAttributes(b.Context(), name)
			}
			if err == nil {
				_, err = dispatcher.Start(b.Context(), name, actor, workflow.Start{ID: uuid.NewString(), Type: "Any", TaskQueue: "any"})
			}
			if err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("by workflow", func(b *testing.B) {
		a := &activations{steps: s.steps, done: make(chan struct{}, 1)}
		w := newWorker(s.conn, a)
		w.Start(b.Context())
		defer w.Stop()
		eventually(b, "the worker serves", w.Healthy)
		measure(b, func() {
			s.deliver(b)
			<-a.done
		})
	})
}

// measure reports the quantiles of how long do takes.
func measure(b *testing.B, do func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		do()
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
