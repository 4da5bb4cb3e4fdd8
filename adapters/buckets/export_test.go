package buckets

import "github.com/bulkheadhq/bulkhead/core/ratelimit"

// ShardCount is the number of shards.
const ShardCount = shardCount

// Sweep sweeps one shard.
func (m *Memory) Sweep(i int) { m.shards[i].sweep(m) }

// Cells is for how many buckets there is memory.
func (m *Memory) Cells() int {
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].cells)
	}
	return n
}

// Shard is the shard that a bucket is in.
func (m *Memory) Shard(b ratelimit.Bucket) int { return int(m.place(&b).shard) }
