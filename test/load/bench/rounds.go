package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Sample is what one round of one side measured, by name and unit, such as
// "requests/s" or "ns/op".
type Sample map[string]float64

// Side is one of the things that are compared.
type Side struct {
	Name string

	// Round measures once, for about t.Round. What must exist before, the caller
	// of Interleave has made.
	Round func() Sample
}

// Series are the samples of one side, a round each.
type Series struct {
	Name    string
	Samples []Sample
}

// Interleave measures round by round: every side once, then every side again.
// What slows the machine for a while slows all of them. The first round warms up
// and does not count. The order turns with every round, so that no side always
// follows the same one.
func Interleave(t *T, sides ...Side) []Series {
	t.Helper()
	series := make([]Series, len(sides))
	for i, side := range sides {
		series[i].Name = side.Name
	}
	for round := range t.Rounds + 1 {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		for at := range sides {
			i := (at + round) % len(sides)
			sample := sides[i].Round()
			if round > 0 {
				series[i].Samples = append(series[i].Samples, sample)
			}
		}
	}
	for _, s := range series {
		t.Logf("%s", s)
	}
	return series
}

// Values returns what the rounds measured under a name.
func (s Series) Values(name string) []float64 {
	values := make([]float64, len(s.Samples))
	for i, sample := range s.Samples {
		values[i] = sample[name]
	}
	return values
}

// Median returns the median of what the rounds measured under a name.
func (s Series) Median(name string) float64 { return Median(s.Values(name)) }

// String shows the medians and the ranges.
func (s Series) String() string {
	if len(s.Samples) == 0 {
		return s.Name
	}
	parts := make([]string, 0, len(s.Samples[0]))
	for _, name := range slices.Sorted(maps.Keys(s.Samples[0])) {
		values := s.Values(name)
		parts = append(parts, fmt.Sprintf("%s %s (%s to %s)", short(Median(values)), name, short(slices.Min(values)), short(slices.Max(values))))
	}
	return fmt.Sprintf("%-22s %s", s.Name, strings.Join(parts, " · "))
}

// Ratio returns how much of what b measured under a name is what a measured: the
// median of the rounds' own ratios, as the two halves of a round met the same
// machine.
func Ratio(t *T, name string, a, b Series) float64 {
	t.Helper()
	ratios := make([]float64, len(a.Samples))
	for i := range ratios {
		ratios[i] = a.Samples[i][name] / b.Samples[i][name]
	}
	t.Logf("%s, %s to %s: ratio %.3f (%.3f to %.3f in %d rounds)",
		name, a.Name, b.Name, Median(ratios), slices.Min(ratios), slices.Max(ratios), len(ratios))
	return Median(ratios)
}

// Loop calls f again and again, with how often to do the thing that is measured,
// for about t.Round, and returns the time of one in nanoseconds as "ns/op".
func Loop(t *T, f func(n int)) Sample {
	const batches = 20 // the clock is read so often in a round
	n := 1
	for {
		took := timed(f, n)
		if took > t.Round/(4*batches) {
			n = max(1, int(float64(n)*float64(t.Round)/batches/float64(took)))
			break
		}
		n *= 2
	}
	var total time.Duration
	done := 0
	for total < t.Round {
		total += timed(f, n)
		done += n
	}
	return Sample{"ns/op": float64(total.Nanoseconds()) / float64(done)}
}

func timed(f func(int), n int) time.Duration {
	start := time.Now()
	f(n)
	return time.Since(start)
}

// Median returns the median of at least one value.
func Median[N ~int64 | ~float64](values []N) N {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// short shows three digits of a number.
func short(x float64) string {
	if x >= 1000 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
