package sdk

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// CreateOrganization creates an organization with its first admins. The answer
// waits up to wait for its namespace to be ready, 60 seconds at most; with 0 it
// comes at once. Either way, AwaitOperation follows the rest. For operators.
func (c *Client) CreateOrganization(ctx context.Context, in OrganizationCreate, wait time.Duration) (*OrganizationCreated, error) {
	r := post(path("api/v0/organizations"), in)
	if n := waitSeconds(wait); n > 0 {
		r.wait = time.Duration(n) * time.Second
		r.header = http.Header{"Prefer": {fmt.Sprintf("wait=%d", n)}}
	}
	return call[OrganizationCreated](ctx, c, r)
}

// Organization returns an organization by its id or slug.
func (c *Client) Organization(ctx context.Context, org string) (*Organization, error) {
	return call[Organization](ctx, c, get(organization(org)))
}

// OrganizationFilter chooses organizations from the list of all. The zero value is
// all but the deleted ones, oldest first.
type OrganizationFilter struct {
	State      OrganizationState // only those in this state
	SlugPrefix string            // only those whose slug begins so
	Metadata   string            // only those with this in their metadata, as key=value
	Sort       string            // created_at, slug, or one of them with a - before, for the reverse order
}

// ListOrganizations returns a page of organizations. For operators.
func (c *Client) ListOrganizations(ctx context.Context, f OrganizationFilter, o ListOptions) (*OrganizationList, error) {
	r := get(path("api/v0/organizations")).page(o).with("state", string(f.State)).with("slug_prefix", f.SlugPrefix).
		with("metadata", f.Metadata).with("sort", f.Sort)
	return call[OrganizationList](ctx, c, r)
}

// AllOrganizations walks through the organizations that the filter chooses. For
// operators.
func (c *Client) AllOrganizations(ctx context.Context, f OrganizationFilter) iter.Seq2[Organization, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]Organization, string, error) {
		l, err := c.ListOrganizations(ctx, f, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// UpdateOrganization changes what the input names. The ETag is that of the
// organization on which the change was decided; it fails, see IsStale, when the
// organization has changed since.
func (c *Client) UpdateOrganization(ctx context.Context, org, etag string, in OrganizationUpdate) (*Organization, error) {
	r := request{method: http.MethodPatch, path: organization(org), body: in, header: ifMatch(etag)}
	return call[Organization](ctx, c, r)
}

// SuspendOrganization blocks an organization until it is resumed. For operators.
func (c *Client) SuspendOrganization(ctx context.Context, org, reason string) (*Organization, error) {
	return call[Organization](ctx, c, post(organization(org, "suspend"), Suspension{Reason: reason}))
}

// ResumeOrganization ends a suspension. For operators.
func (c *Client) ResumeOrganization(ctx context.Context, org string) (*Organization, error) {
	return call[Organization](ctx, c, post(organization(org, "resume"), nil))
}

// Deletion confirms the deletion of an organization.
type Deletion struct {
	Slug string // the organization's, as the confirmation
	ETag string // of the organization that is to be deleted; AnyVersion is any
	Now  bool   // without a time of grace, or to end it; for operators
}

// DeleteOrganization begins the deletion of an organization. Its keys stop at
// once; AwaitOperation follows the rest, which begins when the grace is over.
func (c *Client) DeleteOrganization(ctx context.Context, org string, d Deletion) (*OrganizationDeletion, error) {
	r := request{method: http.MethodDelete, path: organization(org), header: ifMatch(d.ETag)}.with("confirm", d.Slug)
	if d.Now {
		r = r.with("now", "true")
	}
	return call[OrganizationDeletion](ctx, c, r)
}

// RestoreOrganization takes a deletion back inside its grace. For operators.
func (c *Client) RestoreOrganization(ctx context.Context, org string) (*Organization, error) {
	return call[Organization](ctx, c, post(organization(org, "restore"), nil))
}

// Namespace returns an organization's namespace as it is at Temporal, and in what it
// is not as it must be.
func (c *Client) Namespace(ctx context.Context, org string) (*Namespace, error) {
	return call[Namespace](ctx, c, get(organization(org, "namespace")))
}

// ReconcileNamespace repairs an organization's namespace in all that can be repaired,
// and returns it then. What is left in its drift takes a person.
func (c *Client) ReconcileNamespace(ctx context.Context, org string) (*Namespace, error) {
	return call[Namespace](ctx, c, post(organization(org, "namespace", "reconcile"), nil))
}

// ExamineOrganization proves that an organization works, and looks for workers on the
// task queues.
func (c *Client) ExamineOrganization(ctx context.Context, org string, taskQueues ...string) (*Examination, error) {
	return call[Examination](ctx, c, post(organization(org, "doctor"), ExaminationRequest{TaskQueues: taskQueues}))
}

// ListOperations returns a page of an organization's operations, oldest first.
func (c *Client) ListOperations(ctx context.Context, org string, o ListOptions) (*OperationList, error) {
	return call[OperationList](ctx, c, get(organization(org, "operations")).page(o))
}

// AllOperations walks through an organization's operations, oldest first.
func (c *Client) AllOperations(ctx context.Context, org string) iter.Seq2[Operation, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]Operation, string, error) {
		l, err := c.ListOperations(ctx, org, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// RetryOperation makes another attempt at what an operation failed to do. The
// answer is the operation of that attempt.
func (c *Client) RetryOperation(ctx context.Context, id string) (*Operation, error) {
	return call[Operation](ctx, c, post(path("api/v0/operations", id, "retry"), nil))
}
