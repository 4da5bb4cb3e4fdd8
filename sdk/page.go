package sdk

import (
	"context"
	"iter"
	"strconv"
)

// ListOptions choose a page. The zero value is the first page of the server's
// usual size.
type ListOptions struct {
	// Limit is the most items to return, 200 at most.
	Limit int
	// Cursor is the NextCursor of the page before.
	Cursor string
}

func (r request) page(o ListOptions) request {
	if o.Limit > 0 {
		r = r.with("limit", strconv.Itoa(o.Limit))
	}
	return r.with("cursor", o.Cursor)
}

// pageSize is the largest page, for those who want everything.
const pageSize = 200

// all walks through pages until the last one. An error ends it.
func all[T any](ctx context.Context, list func(context.Context, ListOptions) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		o := ListOptions{Limit: pageSize}
		for {
			items, next, err := list(ctx, o)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			o.Cursor = next
		}
	}
}
