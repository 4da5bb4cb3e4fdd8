package telemetry

import (
	"io"
	"sync"
	"time"
)

const (
	// keepFor is how long a line may wait for others, to be written together with
	// them. It is what is lost when the process is killed.
	keepFor = 100 * time.Millisecond
	// keepAtMost is how much may wait, in bytes.
	keepAtMost = 64 << 10
)

// Buffer writes the lines of a process's log in their order: at once what
// comes by Write, and together with others what comes by Delay. It is safe for
// concurrent use.
type Buffer struct {
	out io.Writer

	mu      sync.Mutex
	waiting []byte
	timer   *time.Timer // runs while something waits

	writing sync.Mutex // one at a time; taken before mu
	written []byte     // what the last writer left, for the next lines to wait in
}

// NewBuffer returns a buffer before out.
func NewBuffer(out io.Writer) *Buffer {
	b := &Buffer{out: out}
	b.timer = time.AfterFunc(time.Hour, b.Flush)
	b.timer.Stop()
	return b
}

// Write writes whole lines, after those that wait. It never fails: nobody could
// be told.
func (b *Buffer) Write(lines []byte) (int, error) {
	b.mu.Lock()
	b.waiting = append(b.waiting, lines...)
	b.mu.Unlock()
	b.Flush()
	return len(lines), nil
}

// Delay takes a line to be written within a tenth of a second. appendLine appends
// the line to what it is given, and must be quick: everybody waits for it.
//
// When too much waits, the caller writes it. Lines that come faster than they
// can be written thus slow down whom they come from, rather than pile up.
func (b *Buffer) Delay(appendLine func([]byte) []byte) {
	b.mu.Lock()
	if len(b.waiting) == 0 {
		b.timer.Reset(keepFor)
	}
	b.waiting = appendLine(b.waiting)
	full := len(b.waiting) >= keepAtMost
	b.mu.Unlock()
	if full {
		b.Flush()
	}
}

// Flush writes what waits.
func (b *Buffer) Flush() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	lines := b.waiting
	b.waiting = b.written[:0]
	b.timer.Stop()
	b.mu.Unlock()
	if len(lines) > 0 {
		_, _ = b.out.Write(lines)
	}
	b.written = lines
}
