package stack

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
)

// reporter prints what happens, one line a step.
type reporter struct {
	out io.Writer
}

func (r reporter) line(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format+"\n", args...) }

func (r reporter) note(message string) { r.line("  note: %s", message) }

func (r reporter) step(name string, took time.Duration, detail string) {
	r.line("%s", strings.TrimRight(fmt.Sprintf("  %-16s %5.1fs  %s", name, took.Seconds(), detail), " "))
}

// summary tells what to do next. The ready line comes last: scripts wait for it.
func (s *stack) summary(operatorKey string, example bool) {
	bulkhead := displayPath(s.bulkhead)
	r := s.report
	r.line("")
	r.line("API       http://%s", netport.Address(host, s.ports.HTTP))
	r.line("Temporal  %s (HTTP API: %s)", netport.Address(host, s.ports.Temporal), netport.Address(host, s.ports.TemporalHTTP))
	r.line("Data      %s (logs in %s)", s.cfg.DataDir, filepath.Join(s.cfg.DataDir, logsName))
	r.line("")
	if operatorKey != "" {
		r.line("Paste this into another shell. The key is the operator's and is not shown again:")
	} else {
		r.line("Paste this into another shell, with the operator's key of the first run. For a new key:")
		r.line("(. %s; %s bootstrap --new-key)", quotePath(filepath.Join(s.cfg.DataDir, environmentName)), bulkhead)
	}
	r.line("")
	r.line("export BULKHEAD_URL=http://%s", netport.Address(host, s.ports.HTTP))
	if operatorKey != "" {
		r.line("export BULKHEAD_API_KEY=%s", operatorKey)
	} else {
		r.line("export BULKHEAD_API_KEY=bhk_…")
	}
	r.line("%s org create acme --admin-email ada@acme.example", bulkhead)
	if example {
		r.line(`%s workflow start --org acme --type Greet --task-queue default --id hello --input '"Ada"'`, bulkhead)
		r.line("%s workflow result --org acme hello", bulkhead)
	}
	r.line("")
	r.line("ready: %.1fs", time.Since(s.cfg.Started).Seconds())
}

// quotePath makes a path safe to paste into a shell.
func quotePath(path string) string {
	for _, c := range path {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '/', c == '.', c == '-', c == '_':
		default:
			return shellQuote(path)
		}
	}
	return path
}
