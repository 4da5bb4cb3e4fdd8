package postgres

import (
	"os"
	"path/filepath"
	"strconv"
)

// isPostmaster tells whether the process is a postmaster of this cluster, which it has as its working directory.
func isPostmaster(pid int, cluster string) bool {
	process := filepath.Join("/proc", strconv.Itoa(pid))
	program, err := os.Readlink(filepath.Join(process, "exe"))
	if err != nil || filepath.Base(program) != "postgres" {
		return false
	}
	working, err := os.Stat(filepath.Join(process, "cwd"))
	if err != nil {
		return false
	}
	wanted, err := os.Stat(cluster)
	return err == nil && os.SameFile(working, wanted)
}
