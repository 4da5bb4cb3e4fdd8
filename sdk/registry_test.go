package sdk

import (
	"testing"

	"github.com/matryer/is"
	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// registry writes down what is registered.
type registry struct {
	worker.Registry
	got []string
}

func (r *registry) note(s string) { r.got = append(r.got, s) }

func (r *registry) RegisterWorkflow(any) { r.note("workflow") }

func (r *registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.note("workflow " + o.Name)
}

func (r *registry) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) {
	r.note("dynamic workflow")
}

func (r *registry) RegisterActivity(any) { r.note("activity") }

func (r *registry) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	r.note("activity " + o.Name)
}

func (r *registry) RegisterDynamicActivity(any, activity.DynamicRegisterOptions) {
	r.note("dynamic activity")
}

func (r *registry) RegisterNexusService(s *nexus.Service) { r.note("service " + s.Name) }

func TestRegistrations(t *testing.T) {
	t.Parallel()
	t.Run("Should register everything, as and in the order in which it was given", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var r registrations
		r.RegisterWorkflow(nothing)
		r.RegisterWorkflowWithOptions(nothing, workflow.RegisterOptions{Name: "a"})
		r.RegisterDynamicWorkflow(nothing, workflow.DynamicRegisterOptions{})
		r.RegisterActivity(nothingToDo)
		r.RegisterActivityWithOptions(nothingToDo, activity.RegisterOptions{Name: "b"})
		r.RegisterDynamicActivity(nothingToDo, activity.DynamicRegisterOptions{})
		r.RegisterNexusService(nexus.NewService("c"))
		var to registry
		r.apply(&to)
		is.Equal(to.got, []string{"workflow", "workflow a", "dynamic workflow", "activity", "activity b", "dynamic activity", "service c"})
	})
	t.Run("Should leave out the part of a worker that nothing is registered for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, c := range []struct {
			r              registrations
			in             worker.Options
			local, withOut bool
		}{
			{r: registrations{}},
			{r: registrations{workflows: true, activities: true}},
			{r: registrations{workflows: true}, local: true},
			{r: registrations{activities: true}, withOut: true},
			{r: registrations{services: true}, withOut: true},
			{r: registrations{workflows: true}, in: worker.Options{EnableSessionWorker: true}},
			{r: registrations{workflows: true, activities: true}, in: worker.Options{LocalActivityWorkerOnly: true}, local: true},
		} {
			o := c.r.narrow(c.in)
			is.Equal(o.LocalActivityWorkerOnly, c.local)
			is.Equal(o.DisableWorkflowWorker, c.withOut)
		}
	})
}
