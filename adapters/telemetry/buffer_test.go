package telemetry_test

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/telemetry"
)

// kept is an output that says how often it was written to.
type kept struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.writes++
	return k.text.Write(b)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func line(text string) func([]byte) []byte {
	return func(b []byte) []byte { return append(append(b, text...), '\n') }
}

func TestBuffer(t *testing.T) {
	t.Parallel()

	t.Run("Should write within a tenth of a second what may wait, together", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			out := &kept{}
			b := telemetry.NewBuffer(out)
			for round := range 3 {
				out.text.Reset()
				b.Delay(line("one"))
				time.Sleep(99 * time.Millisecond) //nolint:forbidigo // moves the fake clock
				b.Delay(line("two"))
				synctest.Wait()
				is.Equal(out.String(), "")
				time.Sleep(time.Millisecond) //nolint:forbidigo // moves the fake clock
				synctest.Wait()
				is.Equal(out.String(), "one\ntwo\n")
				is.Equal(out.writes, round+1)
			}
		})
	})

	t.Run("Should write at once what may not wait, after what does", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		out := &kept{}
		b := telemetry.NewBuffer(out)
		b.Delay(line("one"))
		n, err := b.Write([]byte("two\n"))
		is.NoErr(err)
		is.Equal(n, 4)
		is.Equal(out.String(), "one\ntwo\n")
	})

	t.Run("Should not let more wait than it has room for", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		out := &kept{}
		b := telemetry.NewBuffer(out)
		text := strings.Repeat("x", 1<<10)
		for range 63 {
			b.Delay(line(text))
		}
		is.Equal(out.writes, 0)
		b.Delay(line(text))
		is.Equal(out.writes, 1)
		is.Equal(len(out.String()), 64*(1<<10+1))
	})

	t.Run("Should lose and mix up nothing that many write at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		out := &kept{}
		b := telemetry.NewBuffer(out)
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() {
				for i := range 2000 {
					text := strconv.Itoa(w) + " " + strconv.Itoa(i)
					if i%500 == 0 {
						_, _ = b.Write([]byte(text + "\n"))
					} else {
						b.Delay(line(text))
					}
				}
			})
		}
		writers.Wait()
		b.Flush()
		next := [8]int{}
		for text := range strings.Lines(out.String()) {
			w, i, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
			writer, err := strconv.Atoi(w)
			is.NoErr(err)
			is.Equal(i, strconv.Itoa(next[writer])) // in the order of each
			next[writer]++
		}
		is.Equal(next, [8]int{2000, 2000, 2000, 2000, 2000, 2000, 2000, 2000})
	})
}
