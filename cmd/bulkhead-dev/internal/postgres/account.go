package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/process"
)

// fallbackRoot holds the databases of data directories which an unprivileged Postgres cannot reach.
const fallbackRoot = "/var/lib/bulkhead-dev"

// home is where a cluster's files are and who runs it.
type home struct {
	dir      string
	account  *process.Account // nil: whoever runs this process
	fallback bool
}

// settle decides where the cluster of dataDir lives and as whom it runs. Postgres refuses to run as root, so root hands
// it to an unprivileged user, who must be able to reach the files:
//
//  1. below dataDir, when the user can get there;
//  2. below dataDir with the capability to pass through closed folders, which a container often does not have;
//  3. in a folder of its own below /var/lib.
func settle(ctx context.Context, dataDir string, binary string) (home, error) {
	dir := filepath.Join(dataDir, "cluster")
	if os.Geteuid() != 0 {
		return home{dir: dir}, datadir.Create(dir)
	}
	fallback := fallbackHome(dataDir)
	account, err := chooseAccount(dir)
	if err != nil {
		return home{}, err
	}
	readAny := account
	readAny.ReadAnyPath = true
	candidates := []home{
		{dir: dir, account: &account},
		{dir: dir, account: &readAny},
		{dir: fallback, account: &account, fallback: true},
	}
	// A cluster stays where it was made: starting an empty one elsewhere would look like lost data.
	switch {
	case hasCluster(dir):
		candidates = candidates[:2]
	case hasCluster(fallback):
		candidates = candidates[2:]
	}
	var refusals []error
	for _, candidate := range candidates {
		refusal := candidate.claim(ctx, binary)
		if refusal == nil {
			return candidate, nil
		}
		refusals = append(refusals, refusal)
	}
	return home{}, fmt.Errorf("root may not run Postgres, and user %q cannot in any of these ways:\n%w\n"+
		"run bulkhead-dev as an ordinary user, or choose a --data-dir that %s can reach", account.Name, errors.Join(refusals...), account.Name)
}

func fallbackHome(dataDir string) string {
	sum := sha256.Sum256([]byte(dataDir))
	return filepath.Join(fallbackRoot, hex.EncodeToString(sum[:8]))
}

// claim gives the folder to the account and proves that the account can enter it and run Postgres there.
func (h home) claim(ctx context.Context, binary string) error {
	if err := os.MkdirAll(h.dir, 0o711); err != nil {
		return err
	}
	if err := os.Chown(h.dir, int(h.account.UID), int(h.account.GID)); err != nil {
		return err
	}
	if err := os.Chmod(h.dir, 0o700); err != nil {
		return err
	}
	err := process.Run(ctx, process.Command{
		Name: "postgres --version in " + h.dir, Path: binary, Args: []string{"--version"},
		Env: environment(), Dir: h.dir, Account: h.account,
	})
	if err != nil {
		_ = os.Remove(h.dir) // succeeds only when it is empty
	}
	return err
}

// chooseAccount is the owner of a cluster that exists, because Postgres accepts no other; else the user made for
// Postgres, else nobody.
func chooseAccount(dir string) (process.Account, error) {
	info, err := os.Stat(filepath.Join(dir, clusterName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return process.Account{}, fmt.Errorf("look at the database directory: %w", err)
	}
	if err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
			return process.Account{Name: nameOf(owner.Uid), UID: owner.Uid, GID: owner.Gid}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil || uid == 0 {
			continue
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			continue
		}
		return process.Account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return process.Account{}, errors.New("root may not run Postgres, and this machine has neither a user postgres nor a user nobody: " +
		"run bulkhead-dev as an ordinary user")
}

func nameOf(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if found, err := user.LookupId(number); err == nil {
		return found.Username
	}
	return number
}
