package audit_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/audit"
)

func TestKeys(t *testing.T) {
	t.Parallel()

	t.Run("Should name what was added, removed and replaced, without a value", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, changed := audit.Keys(
			map[string]string{"kept": "secret", "gone": "secret", "other": "secret"},
			map[string]string{"kept": "secret", "new": "secret", "other": "hidden", "empty": ""},
		)
		is.True(changed)
		is.Equal(c, audit.Change{Before: []string{"gone", "other"}, After: []string{"empty", "new", "other"}})
	})

	t.Run("Should say nothing of nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, same := range []map[string]string{nil, {}, {"a": "b"}} {
			c, changed := audit.Keys(same, same)
			is.True(!changed)
			is.Equal(c, audit.Change{})
		}
		c, changed := audit.Keys(nil, map[string]string{"a": ""})
		is.True(changed)
		is.Equal(c, audit.Change{After: []string{"a"}})
	})
}
