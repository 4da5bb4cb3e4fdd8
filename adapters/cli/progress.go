package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/sdk"
)

// progress shows how far long work has come: a moving line on a terminal, a line
// for each step elsewhere, nothing where a program reads.
type progress struct {
	s      *shell
	title  string
	silent bool
	moving bool

	mu    sync.Mutex
	said  string
	stop  chan struct{}
	ended sync.WaitGroup
}

const (
	frames     = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
	frameTime  = 100 * time.Millisecond
	eraseLine  = "\r\x1b[K"
	doneMark   = "✓"
	failedMark = "✗"
)

func (s *shell) newProgress(silent bool, title string) *progress {
	p := &progress{s: s, title: title, silent: silent, moving: s.env.ErrTerminal && s.env.Getenv("TERM") != "dumb", stop: make(chan struct{})}
	switch {
	case silent:
	case p.moving:
		p.ended.Go(p.spin)
	default:
		s.say("%s\n", title)
	}
	return p
}

func (p *progress) spin() {
	t := time.NewTicker(frameTime)
	defer t.Stop()
	marks := []rune(frames)
	for i := 0; ; i++ {
		p.mu.Lock()
		p.s.say("%s%c %s%s", eraseLine, marks[i%len(marks)], p.title, suffix(p.said))
		p.mu.Unlock()
		select {
		case <-t.C:
		case <-p.stop:
			return
		}
	}
}

// report says which step was completed last, and what hinders the next.
func (p *progress) report(o sdk.Operation) {
	said := strings.ReplaceAll(o.Step, "_", " ")
	switch {
	case o.FailureCode == ports.ErrNamespaceReclaiming.Code: // which is no failure: it takes its time
		said = strings.TrimPrefix(said+"; waiting for Temporal to remove what was in the namespace", "; ")
	case o.Failure != "":
		said = strings.TrimPrefix(fmt.Sprintf("%s; attempt %d failed: %s", said, o.Attempts, hindrance(o)), "; ")
	}
	said = printable(said)
	p.mu.Lock()
	defer p.mu.Unlock()
	if said == p.said || p.silent {
		return
	}
	p.said = said
	if !p.moving {
		p.s.say("  %s\n", said)
	}
}

// hindrance is what is in the way of an operation, or has ended it, with its code.
func hindrance(o sdk.Operation) string {
	said := first(o.Failure, "the reason is not known")
	if o.FailureCode != "" {
		said += " (" + o.FailureCode + ")"
	}
	return said
}

// end leaves the line as it was last, with how it went.
func (p *progress) end(well bool) {
	close(p.stop)
	p.ended.Wait()
	if p.silent || !p.moving {
		return
	}
	mark := failedMark
	if well {
		mark = doneMark
	}
	p.s.say("%s%s %s%s\n", eraseLine, mark, p.title, suffix(p.said))
}

func suffix(said string) string {
	if said == "" {
		return ""
	}
	return ": " + said
}
