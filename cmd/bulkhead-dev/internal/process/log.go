package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	tailLines = 15
	tailBytes = 16 << 10
)

// Log is a child's log file. The nil Log discards everything.
type Log struct {
	file *os.File
}

// OpenLog starts a new log at path and keeps the log of the run before it as path.1, so that logs neither grow without
// bound nor vanish just when a restart makes them interesting.
func OpenLog(path string) (*Log, error) {
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keep the previous log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{file: file}, nil
}

// Write appends to the log. What comes after Close is dropped without an error: a server that runs in this process may
// have goroutines with something to say after its stop, and nobody needs a complaint about that on the screen.
func (l *Log) Write(b []byte) (int, error) {
	n, err := l.writer().Write(b)
	if errors.Is(err, fs.ErrClosed) {
		return len(b), nil
	}
	return n, err
}

// Close closes the file; children that still have it open keep writing to it.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// Path is where the log is, "" for the nil Log.
func (l *Log) Path() string {
	if l == nil {
		return ""
	}
	return l.file.Name()
}

// Tail returns the last n lines, indented for display below a message.
func (l *Log) Tail(n int) string {
	if l == nil {
		return ""
	}
	file, err := os.Open(l.file.Name())
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = file.Seek(-tailBytes, io.SeekEnd)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return ""
	}
	text := strings.TrimRight(string(content), "\n")
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-n):]
	return "  | " + strings.Join(lines, "\n  | ")
}

func (l *Log) writer() io.Writer {
	if l == nil {
		return io.Discard
	}
	return l.file
}
