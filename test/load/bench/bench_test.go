package bench_test

import (
	"bytes"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/load/bench"
)

// fixed is a comparison whose ratios are given.
func fixed(name string, target float64, d bench.Direction, ratio float64) bench.Comparison {
	return bench.Comparison{
		Rows:    []bench.Row{{Name: name, Target: target, Direction: d}},
		Measure: func(*bench.T) []float64 { return []float64{ratio} },
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	broken := bench.Comparison{
		Rows:    []bench.Row{{Name: "broken", Target: 1, Direction: bench.AtMost}},
		Measure: func(t *bench.T) []float64 { t.Fatal("no such thing"); return []float64{0.5} },
	}
	for _, c := range []struct {
		name     string
		all      []bench.Comparison
		rows     string
		measured bool
		result   string
	}{
		{"Should say which targets are met", []bench.Comparison{
			fixed("fast", 0.8, bench.AtLeast, 0.8), fixed("slow", 0.8, bench.AtLeast, 0.79),
			fixed("small", 1.5, bench.AtMost, 1.5), fixed("big", 1.5, bench.AtMost, 1.51),
		}, "", true, "bench: fast ratio 0.80 (target ≥ 0.80)\nbench: slow ratio 0.79 (target ≥ 0.80)\n" +
			"bench: small ratio 1.50 (target ≤ 1.50)\nbench: big ratio 1.51 (target ≤ 1.50)\nbench: 2/4 met\n"},
		{
			"Should measure what is asked for",
			[]bench.Comparison{fixed("fast", 1, bench.AtLeast, 2), broken},
			"^fast$", true, "bench: fast ratio 2.00 (target ≥ 1.00)\nbench: 1/1 met\n",
		},
		{
			"Should go on after what cannot be measured, and not call it met",
			[]bench.Comparison{broken, fixed("fast", 1, bench.AtLeast, 2)},
			"", false, "bench: broken ratio none (target ≤ 1.00)\nbench: fast ratio 2.00 (target ≥ 1.00)\nbench: 1/2 met\n",
		},
		{
			"Should not take a ratio of nothing for a good one",
			[]bench.Comparison{fixed("fast", 1, bench.AtMost, math.NaN())},
			"", false, "bench: fast ratio none (target ≤ 1.00)\nbench: 0/1 met\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			var result bytes.Buffer
			measured := bench.Run(t.Context(), c.all, bench.Options{
				Rows: regexp.MustCompile(c.rows), Result: &result, Progress: io.Discard,
			})
			is.Equal(measured, c.measured)
			is.Equal(result.String(), c.result)
		})
	}

	t.Run("Should clean up after a panic, the last first", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var order, progress bytes.Buffer
		c := fixed("broken", 1, bench.AtMost, 0)
		c.Measure = func(t *bench.T) []float64 {
			t.Cleanup(func() { order.WriteString("first ") })
			t.Cleanup(func() { order.WriteString("second ") })
			panic("lost")
		}
		is.True(!bench.Run(t.Context(), []bench.Comparison{c}, bench.Options{Result: io.Discard, Progress: &progress}))
		is.Equal(order.String(), "second first ")
		is.True(strings.Contains(progress.String(), "panic: lost"))
	})
}

func TestInterleave(t *testing.T) {
	t.Parallel()

	t.Run("Should measure in turns, not count the first and compare round by round", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var order strings.Builder
		calls := map[string]float64{}
		side := func(name string, per float64) bench.Side {
			return bench.Side{Name: name, Round: func() bench.Sample {
				order.WriteString(name)
				calls[name]++
				return bench.Sample{"x": per * calls[name]} // the machine becomes slower and slower
			}}
		}
		c := fixed("turns", 1, bench.AtMost, 0)
		c.Measure = func(t *bench.T) []float64 {
			series := bench.Interleave(t, side("a", 3), side("b", 2))
			is.Equal(series[0].Values("x"), []float64{6, 9, 12, 15, 18})
			is.Equal(series[1].Median("x"), 8.0)
			return []float64{bench.Ratio(t, "x", series[0], series[1])}
		}
		var result bytes.Buffer
		is.True(bench.Run(t.Context(), []bench.Comparison{c}, bench.Options{Short: true, Result: &result, Progress: io.Discard}))
		is.Equal(order.String(), "abbaabbaabba")
		is.True(strings.HasPrefix(result.String(), "bench: turns ratio 1.50 "))
	})
}
