package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func shell(script string) Command {
	return Command{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"ONLY=this"}}
}

func openLog(t *testing.T) *Log {
	t.Helper()
	log, err := OpenLog(filepath.Join(t.TempDir(), "child.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func TestRun(t *testing.T) {
	t.Run("Should give the child exactly its environment", func(t *testing.T) {
		is := is.New(t)
		t.Setenv("LEAKED", "1")
		var output bytes.Buffer
		command := shell(`echo "$ONLY$LEAKED"`)
		command.Stdout = &output
		is.NoErr(Run(t.Context(), command))
		is.Equal(output.String(), "this\n")
	})

	t.Run("Should report how the child ended, its last lines and its log", func(t *testing.T) {
		is := is.New(t)
		command := shell("seq 100; echo too bad >&2; exit 7")
		command.Log = openLog(t)
		err := Run(t.Context(), command)
		failure := new(ExitError)
		is.True(errors.As(err, &failure))
		is.Equal(failure.How, "exit status 7")
		is.True(strings.HasSuffix(failure.Tail, "  | 100\n  | too bad"))
		is.Equal(strings.Count(failure.Tail, "\n"), tailLines-1)
		is.True(strings.Contains(err.Error(), command.Log.Path()))
	})

	t.Run("Should stop the child when the context ends", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		is.True(errors.Is(Run(ctx, shell("exec sleep 60")), context.Canceled))
	})

	t.Run("Should fail to start a program that does not exist", func(t *testing.T) {
		is := is.New(t)
		is.True(errors.Is(Run(t.Context(), Command{Name: "ghost", Path: "/no/such/program"}), os.ErrNotExist))
	})
}

func TestStop(t *testing.T) {
	t.Run("Should kill a child that ignores its signals, and the children of that child", func(t *testing.T) {
		is := is.New(t)
		command := shell("trap '' TERM; echo ready >&2; sleep 60; sleep 60")
		command.Log = openLog(t)
		p, err := Start(command)
		is.NoErr(err)
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for command.Log.Tail(1) == "" {
			select {
			case <-p.Done():
				t.Fatal("ended early")
			case <-ticker.C:
			}
		}
		p.Stop(10 * time.Millisecond)
		is.True(strings.Contains(p.Failure().Error(), "killed"))
		is.Equal(syscall.Kill(p.PID(), 0), syscall.ESRCH)
		p.Stop(time.Second) // once more does no harm
	})
}

func TestLog(t *testing.T) {
	t.Run("Should drop what is written after its end without an error", func(t *testing.T) {
		is := is.New(t)
		log := openLog(t)
		_, err := log.Write([]byte("in time"))
		is.NoErr(err)
		is.NoErr(log.Close())
		n, err := log.Write([]byte("late"))
		is.NoErr(err)
		is.Equal(n, len("late"))
		content, err := os.ReadFile(log.Path())
		is.NoErr(err)
		is.Equal(string(content), "in time")
	})
}

func TestOpenLog(t *testing.T) {
	t.Run("Should keep the log of the run before", func(t *testing.T) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "child.log")
		for _, line := range []string{"first", "second"} {
			log, err := OpenLog(path)
			is.NoErr(err)
			_, err = log.Write([]byte(line))
			is.NoErr(err)
			is.NoErr(log.Close())
		}
		now, err := os.ReadFile(path)
		is.NoErr(err)
		before, err := os.ReadFile(path + ".1")
		is.NoErr(err)
		is.Equal(string(now), "second")
		is.Equal(string(before), "first")
	})
}
