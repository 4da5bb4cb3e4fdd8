package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Program is one side of a comparison that needs a process of its own: because
// its memory or its processor time is measured, or so as not to share the other
// side's garbage collector. It calls ready once, with what the comparison must
// know of it, and ends when ctx does.
type Program func(ctx context.Context, ready func(any) error, args []string) error

// programWord as the first argument makes a process a program.
const programWord = "program"

// IsProgram tells whether the arguments of a process are those that StartProgram
// gives.
func IsProgram(args []string) bool { return len(args) > 1 && args[0] == programWord }

// RunProgram is what a process does that StartProgram has started.
func RunProgram(ctx context.Context, programs map[string]Program, args []string) error {
	program := programs[args[1]]
	if args[1] == loadProgram {
		program = runLoad
	}
	if program == nil {
		return fmt.Errorf("there is no program %q", args[1])
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // nobody outlives the process that started it, however that ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	ready := func(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
	return program(ctx, ready, args[2:])
}

// Process is a program that runs.
type Process struct {
	PID  int
	Stop func() // ends it and waits; it may be called again
}

// StartProgram starts a program of Programs as a process of its own, and decodes
// what it says when it is ready into ready. It ends with the comparison at the
// latest.
func StartProgram(t *T, ready any, name string, args ...string) Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, append([]string{programWord, name}, args...)...)
	cmd.Stderr = t.progress
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	stop := sync.OnceFunc(func() {
		_ = stdin.Close()
		patience := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer patience.Stop()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, ready)
	}
	if err != nil {
		t.Fatalf("%s is not ready: %v", name, err)
	}
	return Process{PID: cmd.Process.Pid, Stop: stop}
}
