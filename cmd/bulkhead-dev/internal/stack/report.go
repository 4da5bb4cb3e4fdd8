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
	r := s.report
	r.line("")
	r.line("API       http://%s", netport.Address(host, s.ports.HTTP))
	r.line("Temporal  %s (HTTP API: %s)", netport.Address(host, s.ports.Temporal), netport.Address(host, s.ports.TemporalHTTP))
	r.line("Data      %s (logs in %s)", s.cfg.DataDir, filepath.Join(s.cfg.DataDir, logsName))
	r.line("")
	if operatorKey != "" {
		s.firstSteps(operatorKey, example)
	} else {
		s.laterSteps()
	}
	r.line("")
	r.line("ready: %.1fs", time.Since(s.cfg.Started).Seconds())
}

// firstSteps shows the operator's key and the commands of the README's "Try it".
func (s *stack) firstSteps(operatorKey string, example bool) {
	bulkhead := quotePath(displayPath(s.bulkhead))
	r := s.report
	r.line("Paste this into another shell. The key is the operator's and is not shown again:")
	r.line("")
	s.exportURL()
	r.line("export BULKHEAD_API_KEY=%s", operatorKey)
	r.line("")
	r.line("%s org create acme --admin-email ada@acme.example", bulkhead)
	r.line("export BULKHEAD_API_KEY=$(%s apikey create first --org acme --user ada@acme.example)", bulkhead)
	if example {
		r.line(`%s workflow start --type Greet --task-queue default --id hello --input '"Ada"'`, bulkhead)
		r.line("%s workflow result hello", bulkhead)
	}
}

// laterSteps prints nothing that would put another key in the place of a good one unless that is what the user wants.
func (s *stack) laterSteps() {
	r := s.report
	r.line("Paste this into another shell:")
	r.line("")
	s.exportURL()
	r.line("")
	r.line("Use the key that you have. For a new operator's key:")
	r.line("")
	r.line("export BULKHEAD_API_KEY=$(. %s; %s bootstrap --new-key)",
		quotePath(displayPath(filepath.Join(s.cfg.DataDir, environmentName))), quotePath(displayPath(s.bulkhead)))
}

func (s *stack) exportURL() {
	s.report.line("export BULKHEAD_URL=http://%s", netport.Address(host, s.ports.HTTP))
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
