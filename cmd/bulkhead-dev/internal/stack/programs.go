package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	productName = "bulkhead"
	exampleName = "bulkhead-example-worker"
)

// findProgram returns where a program of the product is: where the user says, else beside this program, else in PATH.
func findProgram(name, explicit string) (string, error) {
	if explicit != "" {
		path, err := exec.LookPath(explicit)
		if err != nil {
			return "", fmt.Errorf("find %s: %w", name, err)
		}
		return filepath.Abs(path)
	}
	self, err := os.Executable()
	if err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if path, err := exec.LookPath(beside); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find %s: it is neither beside %s nor in PATH; build it first, or name it with --%s",
			name, self, strings.TrimPrefix(name, productName+"-"))
	}
	return filepath.Abs(path)
}

// displayPath is how the user would type the path from here.
func displayPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(relative, "..") {
		return path
	}
	if !strings.Contains(relative, string(filepath.Separator)) {
		return "./" + relative
	}
	return relative
}
