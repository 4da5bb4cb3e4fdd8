// Package bench compares Bulkhead with other ways to the same end, in one run
// and on one machine. A time alone says little on a machine that is shared; a
// ratio of two, measured round by round, says much.
package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Direction is which side of its target a ratio has to be on.
type Direction int

// What a ratio has to be.
const (
	AtLeast Direction = iota + 1
	AtMost
)

func (d Direction) String() string {
	if d == AtLeast {
		return "≥"
	}
	return "≤"
}

// Row is one line of the result: a ratio and what it should be.
type Row struct {
	Name      string // words joined by hyphens, such as "whoami-p99"
	Target    float64
	Direction Direction
}

// Met tells whether a ratio reaches the row's target.
func (r Row) Met(ratio float64) bool {
	if r.Direction == AtLeast {
		return ratio >= r.Target
	}
	return ratio <= r.Target
}

// line is how the result of the row is said. A ratio that could not be measured
// is not a number.
func (r Row) line(ratio float64) string {
	value := "none"
	if !math.IsNaN(ratio) {
		value = fmt.Sprintf("%.2f", ratio)
	}
	return fmt.Sprintf("bench: %s ratio %s (target %s %.2f)", r.Name, value, r.Direction, r.Target)
}

// Comparison measures the ratios of one or more rows at once.
type Comparison struct {
	Rows []Row

	// Measure returns the ratio of each row, in the order of Rows. What it starts
	// ends by t.Cleanup. When t fails, the rows count as not measured.
	Measure func(t *T) []float64
}

// Options are what whoever runs the comparisons chooses.
type Options struct {
	Rows     *regexp.Regexp // of the names of the rows to measure; nil is all
	Short    bool           // less data and fewer, shorter rounds: to see that it works, not how well
	Result   io.Writer      // gets the lines of the result, at the end
	Progress io.Writer      // gets everything else
}

const (
	rounds, shortRounds     = 7, 5
	roundTime, shortRoundOf = 3 * time.Second, 300 * time.Millisecond
)

// Run measures one comparison after the other and writes the result. It returns
// whether every row could be measured; whether its target is met is in the
// result alone, as it depends on what else the machine has to do.
func Run(ctx context.Context, all []Comparison, o Options) bool {
	began := time.Now()
	var lines []string
	measured, met, count := true, 0, 0
	for _, c := range all {
		if !c.chosen(o.Rows) {
			continue
		}
		ratios := c.run(ctx, o)
		for i, row := range c.Rows {
			line := row.line(ratios[i])
			_, _ = fmt.Fprintf(o.Progress, "%s, after %v\n", line, time.Since(began).Round(time.Second))
			lines = append(lines, line)
			count++
			if math.IsNaN(ratios[i]) {
				measured = false
			} else if row.Met(ratios[i]) {
				met++
			}
		}
	}
	lines = append(lines, fmt.Sprintf("bench: %d/%d met", met, count))
	_, _ = fmt.Fprintln(o.Result, strings.Join(lines, "\n"))
	return measured
}

// chosen tells whether any row of the comparison is asked for: they are measured
// together.
func (c Comparison) chosen(rows *regexp.Regexp) bool {
	return rows == nil || slices.ContainsFunc(c.Rows, func(r Row) bool { return rows.MatchString(r.Name) })
}

// run returns the comparison's ratios, all of which are not a number when it
// fails.
func (c Comparison) run(ctx context.Context, o Options) []float64 {
	name := c.Rows[0].Name
	_, _ = fmt.Fprintf(o.Progress, "\n== %s (load average %s)\n", name, loadAverage())
	t := newT(ctx, name, o)
	var ratios []float64
	t.run(func() { ratios = c.Measure(t) })
	if !t.Failed() && len(ratios) == len(c.Rows) {
		return ratios
	}
	ratios = make([]float64, len(c.Rows))
	for i := range ratios {
		ratios[i] = math.NaN()
	}
	return ratios
}
