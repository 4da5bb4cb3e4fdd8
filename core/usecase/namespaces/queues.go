package namespaces

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/text"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

const (
	// maxQueues is how many task queues are looked at, and maxQueueLen the longest name.
	maxQueues   = 10
	maxQueueLen = 1000
	// maxSchedules is how many schedules are asked for the queue of what they start.
	maxSchedules = 20
)

func checkQueues(queues []string) error {
	if len(queues) > maxQueues {
		return fault.InvalidField("/task_queues", "max_items", "must have at most 10 items")
	}
	for i, q := range queues {
		if err := text.Check("/task_queues/"+strconv.Itoa(i), q, maxQueueLen); err != nil {
			return err
		}
	}
	return nil
}

// collect adds the organization's own task queues to those that were named, as far as
// they are not too many: those of workflows that run, and of what schedules start.
func (e *examination) collect(ctx context.Context) finding {
	s := search{examination: e, seen: slices.Clone(e.queues)}
	slices.Sort(s.seen)
	s.seen = slices.Compact(s.seen)
	e.queues = s.seen
	named := len(s.seen)
	err := s.running(ctx)
	if err == nil {
		err = s.scheduled(ctx)
	}
	e.queues = s.seen[:min(len(s.seen), maxQueues)]
	switch {
	case err != nil:
		return broken(err, "See whether Temporal answers: bulkhead org diff "+e.org.Slug)
	case s.isMore || len(s.seen) > maxQueues:
		return finding{
			namespace.Warning, fmt.Sprintf("Not all task queues are looked at, but %d.", len(e.queues)),
			"Name those that matter: bulkhead org doctor " + e.org.Slug + " --task-queue QUEUE",
		}
	case len(e.queues) == 0:
		return finding{verdict: namespace.Skipped, detail: "No task queue was named, no workflow runs, and no schedule starts one."}
	}
	return well(fmt.Sprintf("Named: %d. Found in what runs and is scheduled: %d more.", named, len(s.seen)-named))
}

// search looks for task queues until there are as many as are looked at.
type search struct {
	*examination
	seen   []string
	others []string // that are not looked at, but were met
	isMore bool     // there may be more than were seen
}

// add notes a queue, and tells whether it is new. Bulkhead's and Temporal's own are
// not the organization's, and names that nobody could read are not shown.
func (s *search) add(queue string) bool {
	switch {
	case slices.Contains(s.seen, queue), slices.Contains(s.others, queue):
		return false
	case strings.HasPrefix(queue, namespace.OwnPrefix), text.CheckIdentifier("", queue, maxQueueLen) != nil:
		s.others = append(s.others, queue)
	default:
		s.seen = append(s.seen, queue)
	}
	return true
}

// running finds the queues of the workflows that run. Each look leaves out the queues
// that are known, so that a thousand workflows of one do not hide those of another.
func (s *search) running(ctx context.Context) error {
	for len(s.seen) <= maxQueues && len(s.others) <= maxQueues {
		found, err := s.dispatcher.List(ctx, s.blueprint.Namespace, s.otherQueues(), page.TokenRequest{Limit: page.MaxLimit})
		if err != nil {
			return err
		}
		isNew := false
		for _, x := range found.Items {
			isNew = s.add(x.TaskQueue) || isNew
		}
		if len(found.Next) == 0 {
			return nil
		}
		if !isNew { // all of a page are of queues that a query can not leave out
			s.isMore = true
			return nil
		}
	}
	s.isMore = true
	return nil
}

// otherQueues chooses the workflows that run in queues which are not known. A name that
// would have to be escaped is not left out.
func (s *search) otherQueues() string {
	query := workflow.RunningQuery
	for _, q := range slices.Concat(s.seen, s.others) {
		if clause := ` AND TaskQueue != "` + q + `"`; !strings.ContainsAny(q, `"\'`) && len(query)+len(clause) <= workflow.MaxQueryLen {
			query += clause
		}
	}
	return query
}

// scheduled finds the queues of what schedules start.
func (s *search) scheduled(ctx context.Context) error {
	found, err := s.schedules.List(ctx, s.blueprint.Namespace, page.TokenRequest{Limit: maxSchedules})
	if err != nil {
		return err
	}
	s.isMore = s.isMore || len(found.Next) > 0
	for _, listed := range found.Items {
		if len(s.seen) > maxQueues {
			return nil
		}
		is, err := s.schedules.Describe(ctx, s.blueprint.Namespace, listed.ID)
		if fault.IsKind(err, fault.NotFound) {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return err
		}
		s.add(is.Action.TaskQueue)
	}
	return nil
}
