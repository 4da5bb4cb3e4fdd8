// Package process starts the child processes of the stack and makes sure that none of them outlives it.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Command describes a child process. Its environment is exactly Env: nothing is inherited from this process.
type Command struct {
	Name string // what messages call it
	Path string
	Args []string
	Env  []string
	Dir  string

	Log    *Log      // receives standard error, and standard output too unless Stdout is set
	Stdout io.Writer // optional

	Account *Account // optional; only root can start a child under another account

	StopSignals []syscall.Signal // sent one after the other by Stop; SIGTERM when empty
	DeathSignal syscall.Signal   // sent by the kernel when this process dies (Linux); SIGKILL when zero
}

// Account is the user a child runs as.
type Account struct {
	Name     string
	UID, GID uint32

	// ReadAnyPath keeps CAP_DAC_READ_SEARCH (Linux): the child can then use a folder below a parent which its user
	// may not enter, such as a home directory with mode 0700.
	ReadAnyPath bool
}

// Process is a started child.
type Process struct {
	command Command
	cmd     *exec.Cmd
	done    chan struct{}
	err     error // set before done is closed
}

// Start starts the child.
func Start(c Command) (*Process, error) {
	cmd := c.prepare()
	// A nil Env would mean "inherit everything" to os/exec.
	cmd.Env = append([]string{}, c.Env...)
	cmd.Stderr = c.Log.writer()
	cmd.Stdout = cmd.Stderr
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	// A grandchild which keeps the pipe open must not keep Wait from returning.
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = attributes(c)

	p := &Process{command: c, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux delivers the death signal when the *thread* that started the child ends, not the process. The thread is
		// therefore kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

// prepare returns the plain command. A capability kept for the child works only once a program runs, too late for the
// change of directory and the look-up of the program that come before; a shell does both in its stead.
func (c Command) prepare() *exec.Cmd {
	if c.Account != nil && c.Account.ReadAnyPath {
		return exec.Command("/bin/sh", append([]string{"-c", `cd "$0" && exec "$@"`, c.Dir, c.Path}, c.Args...)...)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir = c.Dir
	return cmd
}

// Run starts the child and waits until it ends. It is stopped when ctx ends.
func Run(ctx context.Context, c Command) error {
	p, err := Start(c)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Stop(5 * time.Second)
		return context.Cause(ctx)
	}
	if p.err != nil {
		return p.Failure()
	}
	return nil
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Failure describes how the child ended, with the last lines of its log. It may only be called after Done.
func (p *Process) Failure() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return &ExitError{Name: p.command.Name, How: how, Log: p.command.Log.Path(), Tail: p.command.Log.Tail(tailLines)}
}

// Stop asks the child to end, waits up to grace after each of its stop signals, and kills its process group in the end.
func (p *Process) Stop(grace time.Duration) {
	signals := p.command.StopSignals
	if len(signals) == 0 {
		signals = []syscall.Signal{syscall.SIGTERM}
	}
	for _, signal := range signals {
		if err := p.cmd.Process.Signal(signal); errors.Is(err, os.ErrProcessDone) {
			<-p.done
			return
		}
		timer := time.NewTimer(grace)
		select {
		case <-p.done:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// ExitError is the error of a child that ended when it should not have.
type ExitError struct {
	Name string
	How  string
	Log  string
	Tail string
}

func (e *ExitError) Error() string {
	message := fmt.Sprintf("%s stopped: %s", e.Name, e.How)
	if e.Tail != "" {
		message += "\n" + e.Tail
	}
	if e.Log != "" {
		message += "\nfull log: " + e.Log
	}
	return message
}
