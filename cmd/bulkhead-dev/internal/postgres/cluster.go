package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/process"
)

const (
	clusterName  = "data" // below the home
	passwordName = "superuser-password"
)

// locate finds Postgres on the machine or downloads it.
func locate(ctx context.Context, cfg Config) (Installation, error) {
	major, err := clusterMajor(cfg.DataDir)
	if err != nil {
		return Installation{}, err
	}
	search := &finder{explicit: cfg.BinDir, path: os.Getenv("PATH"), folders: cfg.folders, major: major}
	found, ok, err := search.find(ctx)
	if err != nil || ok {
		return found, err
	}
	if ctx.Err() != nil {
		return Installation{}, context.Cause(ctx)
	}
	found, err = download(ctx, filepath.Join(cfg.DataDir, "download"), cfg.Repository, cfg.Note)
	if err == nil && major != 0 && found.Release.Major != major {
		err = fmt.Errorf("is %v, but the data directory was made by Postgres %d", found.Release, major)
	}
	if err == nil {
		return found, nil
	}
	if ctx.Err() != nil {
		return Installation{}, context.Cause(ctx)
	}
	wanted := oldestRelease().String() + " or later"
	if major != 0 {
		wanted = strconv.Itoa(major)
	}
	return Installation{}, fmt.Errorf("no usable Postgres (%s); searched:\n  %s\n  download: %w\n"+
		"install one (Debian, Ubuntu: apt-get install postgresql), or name the folder of its programs with --postgres-bin,\n"+
		"or a Maven repository that this machine can reach with --postgres-repository,\n"+
		"or let `run` use an existing server with --postgres-admin-url",
		wanted, strings.Join(search.searched, "\n  "), err)
}

// clusterMajor is the major version that made the data, 0 when there is none yet.
func clusterMajor(dataDir string) (int, error) {
	for _, dir := range []string{filepath.Join(dataDir, "cluster"), fallbackHome(dataDir)} {
		content, err := os.ReadFile(filepath.Join(dir, clusterName, "PG_VERSION"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // settle reports a directory that cannot be used
		}
		if err != nil {
			return 0, fmt.Errorf("read the version of the data: %w", err)
		}
		major, err := strconv.Atoi(strings.TrimSpace(string(content)))
		if err != nil {
			return 0, fmt.Errorf("read the version of the data in %s: %w", dir, err)
		}
		return major, nil
	}
	return 0, nil
}

func hasCluster(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, clusterName, "PG_VERSION"))
	return err == nil
}

// ensureCluster returns the superuser's password, after making the cluster when there is none. A cluster appears under
// its name only when it is complete, so an interrupted start never leaves half of one.
func (s *Server) ensureCluster(ctx context.Context, cfg Config, home home) (string, error) {
	password, err := ensurePassword(cfg.DataDir)
	if err != nil || hasCluster(home.dir) {
		return password, err
	}
	draft := filepath.Join(home.dir, clusterName+".new")
	if err := os.RemoveAll(draft); err != nil {
		return "", fmt.Errorf("remove an unfinished database: %w", err)
	}
	passwordFile := filepath.Join(home.dir, "initial-password")
	defer func() { _ = os.Remove(passwordFile) }()
	if err := datadir.WriteFile(passwordFile, []byte(password+"\n")); err != nil {
		return "", err
	}
	if home.account != nil {
		if err := os.Chown(passwordFile, int(home.account.UID), int(home.account.GID)); err != nil {
			return "", fmt.Errorf("hand the initial password to %s: %w", home.account.Name, err)
		}
	}
	args := []string{
		"--pgdata", draft, "--username", superuser, "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
	}
	if cfg.Fast {
		args = append(args, "--no-sync")
	}
	err = process.Run(ctx, process.Command{
		Name: "initdb", Path: filepath.Join(s.BinDir, "initdb"), Args: args,
		Env: environment(), Dir: home.dir, Log: s.log, Account: home.account,
	})
	if err != nil {
		return "", err
	}
	if err := os.Rename(draft, filepath.Join(home.dir, clusterName)); err != nil {
		return "", fmt.Errorf("put the new database in place: %w", err)
	}
	return password, nil
}

// ensurePassword returns the stored password of the superuser, after making one for a new data directory.
func ensurePassword(dataDir string) (string, error) {
	path := filepath.Join(dataDir, passwordName)
	content, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the superuser's password: %w", err)
	}
	password := rand.Text()
	return password, datadir.WriteFile(path, []byte(password+"\n"))
}
