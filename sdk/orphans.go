package sdk

import (
	"context"
	"iter"
	"net/http"
)

// ListOrphanedNamespaces returns a page of the namespaces without an organization and
// the organizations without their namespace. One may be empty and yet not be the last.
// For operators.
func (c *Client) ListOrphanedNamespaces(ctx context.Context, o ListOptions) (*OrphanList, error) {
	return call[OrphanList](ctx, c, get(path("api/v0/namespaces/orphans")).page(o))
}

// AllOrphanedNamespaces walks through them. For operators.
func (c *Client) AllOrphanedNamespaces(ctx context.Context) iter.Seq2[Orphan, error] {
	return all(ctx, func(ctx context.Context, o ListOptions) ([]Orphan, string, error) {
		l, err := c.ListOrphanedNamespaces(ctx, o)
		if err != nil {
			return nil, "", err
		}
		return l.Items, l.NextCursor, nil
	})
}

// DeleteOrphanedNamespace deletes a namespace that has no organization, with all that
// is in it. For operators.
func (c *Client) DeleteOrphanedNamespace(ctx context.Context, namespace string) error {
	r := request{method: http.MethodDelete, path: path("api/v0/namespaces/orphans", namespace)}.with("confirm", namespace)
	_, err := c.do(ctx, r)
	return err
}
