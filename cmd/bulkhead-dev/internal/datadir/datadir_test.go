package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestAcquire(t *testing.T) {
	t.Run("Should keep others out until it is released", func(t *testing.T) {
		is := is.New(t)
		dir := filepath.Join(t.TempDir(), "made", "on", "demand")
		lock, err := Acquire(dir)
		is.NoErr(err)
		_, err = Acquire(dir)
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), dir+" is in use by process"))
		lock.Release()
		again, err := Acquire(dir)
		is.NoErr(err)
		again.Release()
	})
}

func TestWriteFile(t *testing.T) {
	t.Run("Should replace a file by a private one and leave nothing else behind", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "secret")
		is.NoErr(os.WriteFile(path, []byte("old"), 0o644))
		is.NoErr(WriteFile(path, []byte("new")))
		content, err := os.ReadFile(path)
		is.NoErr(err)
		is.Equal(string(content), "new")
		info, err := os.Stat(path)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
		entries, err := os.ReadDir(dir)
		is.NoErr(err)
		is.Equal(len(entries), 1)
	})

	t.Run("Should fail when the directory does not exist", func(t *testing.T) {
		is := is.New(t)
		is.True(WriteFile(filepath.Join(t.TempDir(), "no", "file"), nil) != nil)
	})
}
