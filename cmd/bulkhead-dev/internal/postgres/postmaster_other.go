//go:build unix && !linux

package postgres

import (
	"os/exec"
	"strconv"
	"strings"
)

// isPostmaster tells whether the process is a postmaster of this cluster, which its command line names.
func isPostmaster(pid int, cluster string) bool {
	output, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(output), "postgres") && strings.Contains(string(output), cluster)
}
