// Package faults holds the isolation faults that the attack matrix must find, and
// plants them. A fault is a change of the source that exists only while a program
// is built from it: the compiler reads the changed files in place of the real
// ones (go build -overlay), so that no hole ever stands in the product, not even
// behind a build tag.
//
// Two layers keep organizations apart, and either is enough alone. A fault
// therefore takes away all that stands in the way of what it leaks.
package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Fault is a hole to be found.
type Fault struct {
	Name  string // what is wrong, in words
	Edits []Edit

	// Bypass plants the fault in the first layer alone: row-level security does
	// not bind the application while it is searched.
	Bypass bool
	// SQL is executed by a superuser before the program starts, Undo after it.
	SQL, Undo string
}

// Edit changes one place of a file.
type Edit struct {
	File string
	// After is a text that the file has once; the change is the first place of
	// Old that follows. Without it, it is Old that the file has once.
	After string
	Old   string
	New   string
}

// apply returns the source with the change. It fails when the text is no longer
// there, or no longer there once: a fault that is not planted proves nothing.
func (e Edit) apply(source string) (string, error) {
	from := 0
	if e.After != "" {
		if n := strings.Count(source, e.After); n != 1 {
			return "", fmt.Errorf("%s holds %q %d times, and must hold it once", e.File, e.After, n)
		}
		from = strings.Index(source, e.After)
	}
	n := strings.Count(source[from:], e.Old)
	if n == 0 || (e.After == "" && n != 1) {
		return "", fmt.Errorf("%s holds %q %d times, and must hold it once", e.File, e.Old, n)
	}
	return source[:from] + strings.Replace(source[from:], e.Old, e.New, 1), nil
}

// Overlay writes the changed files of a fault below dir, for the module at root,
// and returns the file for the flag -overlay of go build.
func (f Fault) Overlay(root, dir string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	changed := map[string]string{}
	for _, e := range f.Edits {
		source, ok := changed[e.File]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return "", err
			}
			source = string(b)
		}
		if changed[e.File], err = e.apply(source); err != nil {
			return "", fmt.Errorf("fault %q does not fit the source any more: %w", f.Name, err)
		}
	}
	replace := map[string]string{}
	for file, source := range changed {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = path
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, b, 0o600)
}
