package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"
)

// The formats of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

func asJSON(c *cli.Context) bool { return c.String("output") == outputJSON }

// say writes to people: progress, notes and errors. What a program may read goes
// to the standard output instead.
func (s *shell) say(format string, args ...any) { fmt.Fprintf(s.env.Err, format, args...) }

// printSecret prints a secret alone on the standard output, so that $(…) is the
// secret, and notes for people. Only where they see both does it stand apart.
func (s *shell) printSecret(secret, before, after string) error {
	apart := ""
	if s.env.OutTerminal {
		apart = "\n"
	}
	s.say("%sThis is the only time that it is shown. Keep it like a password.\n%s", before, apart)
	if _, err := fmt.Fprintln(s.env.Out, secret); err != nil {
		return err
	}
	s.say("%s%s", apart, after)
	return nil
}

// printJSON prints a value as the API would.
func (s *shell) printJSON(v any) error { return writeJSON(s.env.Out, v) }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printTable prints rows under a header.
func (s *shell) printTable(header []string, rows [][]string) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, printable(cell))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	head, rest, _ := strings.Cut(text.String(), "\n")
	// Coloured when it is laid out: the table must not count what is not seen.
	_, err := fmt.Fprintf(s.env.Out, "%s\n%s", s.bold(strings.TrimRight(head, " ")), trimLines(rest))
	return err
}

// pair is a line of a thing's description.
type pair struct{ name, value string }

// printPairs prints what is known of one thing, leaving out what is not.
func (s *shell) printPairs(pairs ...pair) error {
	width := 0
	for _, p := range pairs {
		if p.value != "" {
			width = max(width, len(p.name))
		}
	}
	for _, p := range pairs {
		if p.value == "" {
			continue
		}
		if _, err := fmt.Fprintf(s.env.Out, "%-*s  %s\n", width, p.name, printable(p.value)); err != nil {
			return err
		}
	}
	return nil
}

func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// printable makes a text of others safe to show: a name must not move the cursor,
// change colours or pretend to be another line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

// printableLines does the same for a text of our own, which may have lines.
func printableLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n  ")
}

// coloured tells whether a terminal wants colours (https://no-color.org).
func (s *shell) coloured(terminal bool) bool {
	return terminal && s.env.Getenv("NO_COLOR") == "" && s.env.Getenv("TERM") != "dumb"
}

func (s *shell) bold(text string) string {
	if !s.coloured(s.env.OutTerminal) {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func (s *shell) red(text string) string {
	if !s.coloured(s.env.ErrTerminal) {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
}

// dim is for what is there to be looked up.
func (s *shell) dim(text string) string {
	if !s.coloured(s.env.ErrTerminal) {
		return text
	}
	return "\x1b[2m" + text + "\x1b[0m"
}

// ago says when something was, or will be, as people do.
func (s *shell) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := s.env.Now().Sub(t)
	if d < 0 {
		return "in " + rough(-d)
	}
	if d < time.Second {
		return "just now"
	}
	return rough(d) + " ago"
}

// rough is a duration in its largest unit.
func rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// moment says when something was, exactly and as people do.
func (s *shell) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s)", t.UTC().Format(time.RFC3339), s.ago(t))
}
