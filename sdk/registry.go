package sdk

import (
	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// registrations is what a fleet's user registers for one worker, before there is one:
// a worker that knows no activity, or no workflow, is made without the part that would
// ask for them, which is a third of what it takes of memory.
type registrations struct {
	workflows, activities, services bool

	all []func(worker.Registry)
}

var _ worker.Registry = (*registrations)(nil)

// apply registers everything on a worker.
func (r *registrations) apply(w worker.Registry) {
	for _, register := range r.all {
		register(w)
	}
}

// narrow takes from a worker's options what nothing is registered for. One that knows
// nothing at all stays as it is, to say so itself.
func (r *registrations) narrow(o worker.Options) worker.Options {
	if r.workflows && !r.activities && !o.EnableSessionWorker {
		o.LocalActivityWorkerOnly = true
	}
	if !r.workflows && (r.activities || r.services) {
		o.DisableWorkflowWorker = true
	}
	return o
}

func (r *registrations) add(register func(worker.Registry)) { r.all = append(r.all, register) }

// RegisterWorkflow registers a workflow.
func (r *registrations) RegisterWorkflow(w any) {
	r.workflows = true
	r.add(func(to worker.Registry) { to.RegisterWorkflow(w) })
}

// RegisterWorkflowWithOptions registers a workflow.
func (r *registrations) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	r.workflows = true
	r.add(func(to worker.Registry) { to.RegisterWorkflowWithOptions(w, o) })
}

// RegisterDynamicWorkflow registers what takes every other workflow.
func (r *registrations) RegisterDynamicWorkflow(w any, o workflow.DynamicRegisterOptions) {
	r.workflows = true
	r.add(func(to worker.Registry) { to.RegisterDynamicWorkflow(w, o) })
}

// RegisterActivity registers an activity, or those of a structure.
func (r *registrations) RegisterActivity(a any) {
	r.activities = true
	r.add(func(to worker.Registry) { to.RegisterActivity(a) })
}

// RegisterActivityWithOptions registers an activity, or those of a structure.
func (r *registrations) RegisterActivityWithOptions(a any, o activity.RegisterOptions) {
	r.activities = true
	r.add(func(to worker.Registry) { to.RegisterActivityWithOptions(a, o) })
}

// RegisterDynamicActivity registers what takes every other activity.
func (r *registrations) RegisterDynamicActivity(a any, o activity.DynamicRegisterOptions) {
	r.activities = true
	r.add(func(to worker.Registry) { to.RegisterDynamicActivity(a, o) })
}

// RegisterNexusService registers a service.
func (r *registrations) RegisterNexusService(s *nexus.Service) {
	r.services = true
	r.add(func(to worker.Registry) { to.RegisterNexusService(s) })
}
