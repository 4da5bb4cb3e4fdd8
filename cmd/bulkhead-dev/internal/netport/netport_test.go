package netport

import (
	"testing"

	"github.com/matryer/is"
)

func TestFree(t *testing.T) {
	t.Run("Should give out distinct ports", func(t *testing.T) {
		is := is.New(t)
		ports, err := Free(t.Context(), "127.0.0.1", 20)
		is.NoErr(err)
		seen := map[int]bool{}
		for _, port := range ports {
			is.True(!seen[port])
			seen[port] = true
		}
	})
}
