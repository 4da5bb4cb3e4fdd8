package wire

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/buckets"
)

func TestStores(t *testing.T) {
	t.Parallel()

	t.Run("Should count rates in this process while those that it shares can not be asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		shared, err := buckets.NewRedis("redis://127.0.0.1:1/0", time.Second)
		is.NoErr(err)
		s, end := newStores(shared)
		defer end()
		is.Equal(s.Buckets, shared)
		_, own := s.Spare.(*buckets.Memory)
		is.True(own)
		is.NoErr(shared.Close())
	})

	t.Run("Should count them once when this process shares none", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		m := buckets.NewMemory()
		defer m.Close()
		s, end := newStores(m)
		defer end()
		is.True(s.Buckets == m)
		is.True(s.Spare == nil)
	})
}
