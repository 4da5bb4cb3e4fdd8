package httpapi

import (
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// BulkUsers adds and changes many users.
func (h *handlers) BulkUsers(ctx context.Context, req gen.BulkUsersRequestObject) (gen.BulkUsersResponseObject, error) {
	by, org, err := h.organization(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	items := make([]users.BulkItem, len(req.Body.Operations))
	for i, op := range req.Body.Operations {
		if items[i], err = toBulkItem(op); err != nil {
			return nil, fault.Under(err, fmt.Sprintf("/operations/%d", i))
		}
	}
	results, done, err := h.Users.Bulk(ctx, by, org, items, orZero(req.Body.Atomic))
	if err != nil {
		return nil, err
	}
	out := gen.BulkUsers200JSONResponse{Applied: done, Items: each(results, h.toBulkResult)}
	for _, item := range out.Items {
		switch item.Status {
		case gen.UserBulkItemStatusDone:
			out.Succeeded++
		case gen.UserBulkItemStatusFailed:
			out.Failed++
		}
	}
	return out, nil
}

// toBulkItem reads an operation, which must have the fields of its kind and no
// others.
func toBulkItem(o gen.UserBulkOperation) (users.BulkItem, error) {
	op, ok := users.ParseBulkOp(string(o.Op))
	if !ok {
		return users.BulkItem{}, fault.InvalidField("/op", "enum", "is not an operation")
	}
	for _, f := range []struct {
		pointer string
		given   bool
		of      []users.BulkOp
		needed  bool
	}{
		{"/user_id", o.UserID != nil, []users.BulkOp{users.BulkSetRole, users.BulkSuspend, users.BulkResume, users.BulkRemove}, true},
		{"/role", o.Role != nil, []users.BulkOp{users.BulkAdd, users.BulkSetRole}, true},
		{"/kind", o.Kind != nil, []users.BulkOp{users.BulkAdd}, false},
		{"/email", o.Email != nil, []users.BulkOp{users.BulkAdd}, false},
		{"/name", o.Name != nil, []users.BulkOp{users.BulkAdd}, false},
		{"/reason", o.Reason != nil, []users.BulkOp{users.BulkSuspend}, false},
	} {
		if err := checkGiven(f.pointer, f.given, f.of, f.needed, op); err != nil {
			return users.BulkItem{}, err
		}
	}
	item := users.BulkItem{Op: op, Role: orZero(o.Role), Reason: orZero(o.Reason)}
	if op == users.BulkAdd {
		kind, _ := user.ParseKind(string(orZero(o.Kind)))
		item.Add = users.AddInput{Kind: kind, Email: orZero(o.Email), Name: orZero(o.Name), Role: item.Role}
		return item, nil
	}
	var err error
	item.User, err = parseID[id.UserKind]("/user_id", orZero(o.UserID))
	return item, err
}

// checkGiven holds a field against the operations that it belongs to.
func checkGiven(pointer string, given bool, of []users.BulkOp, needed bool, op users.BulkOp) error {
	belongs := false
	for _, o := range of {
		belongs = belongs || o == op
	}
	switch {
	case given && !belongs:
		return fault.InvalidField(pointer, "unexpected", "must be absent, as the operation takes none")
	case !given && belongs && needed:
		return fault.InvalidField(pointer, "required", "must be given for the operation")
	}
	return nil
}

func (h *handlers) toBulkResult(r users.BulkResult) gen.UserBulkItem {
	if r.Err != nil {
		f := fault.From(r.Err)
		p := problemOf(f, statusOf(f), "")
		return gen.UserBulkItem{
			Status: gen.UserBulkItemStatusFailed, Problem: &gen.ItemProblem{Code: p.Code, Detail: p.Detail, Fields: p.Fields},
		}
	}
	if r.User.ID().IsZero() {
		return gen.UserBulkItem{Status: gen.UserBulkItemStatusNotApplied}
	}
	u := h.toUser(r.User)
	return gen.UserBulkItem{Status: gen.UserBulkItemStatusDone, User: &u}
}
