package temporal

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/workflow"
)

// ErrBusy is returned when Temporal itself limits the rate of calls.
var ErrBusy = fault.Define(fault.Exhausted, "workflow.temporal_busy", "Temporal is busy. Try again in a moment.")

// retryAfter is how soon to come back to a Temporal that is away or busy.
const retryAfter = 2 * time.Second

// refused replaces the text with which Temporal refuses a request: that one may
// name what its reader must not know of, such as namespaces, shards and hosts.
const refused = "Temporal refuses the request. Check the identifiers, the timeouts and the size of the input."

// switchedOff is how Temporal begins to say that its configuration has turned a feature
// off. It says so by PermissionDenied, as of a token that is no good, and nothing but
// the text tells the one from the other.
var switchedOff = map[string]*fault.Error{
	"Batch operation ":                   workflow.ErrBatchesOff,
	"Schedules are disabled":             schedule.ErrOff,
	"UpdateWorkflowExecution operation ": workflow.ErrUpdatesOff,
}

// deniedFault translates a refusal. But for what is switched off the credential is
// ours, so the mistake is, too.
func deniedFault(err error) error {
	for begins, off := range switchedOff {
		if strings.HasPrefix(serviceerror.ToStatus(err).Message(), begins) {
			return off.Because(err)
		}
	}
	return fault.ErrInternal.Because(err)
}

// toFault translates an error of Temporal; it is the one place that does. It
// returns nil for nil, and faults as they are.
func toFault(err error) error {
	if err == nil {
		return nil
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	if started := (*serviceerror.WorkflowExecutionAlreadyStarted)(nil); errors.As(err, &started) {
		return workflow.ErrAlreadyStarted.Because(err)
	}
	if failed := (*serviceerror.QueryFailed)(nil); errors.As(err, &failed) {
		return queryFailed(failed)
	}
	switch codeOf(err) {
	case codes.NotFound:
		return workflow.ErrNotFound.Because(err)
	case codes.Unavailable:
		return fault.ErrUnavailable.After(retryAfter).Because(err)
	case codes.DeadlineExceeded, codes.Canceled:
		return fault.ErrTimeout.After(retryAfter).Because(err)
	case codes.ResourceExhausted:
		return ErrBusy.After(retryAfter).Because(err)
	case codes.InvalidArgument:
		return fault.ErrInvalid.WithPublic(refused).Because(err)
	case codes.PermissionDenied:
		return deniedFault(err)
	default: // Unauthenticated, too: see deniedFault
		return fault.ErrInternal.Because(err)
	}
}

func codeOf(err error) codes.Code { return serviceerror.ToStatus(err).Code() }

func isAway(err error) bool { return err != nil && codeOf(err) == codes.Unavailable }
