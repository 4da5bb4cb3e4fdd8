package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Installation is a usable Postgres on this machine.
type Installation struct {
	BinDir  string
	Release Release
}

// installFolders are where packages put Postgres without adding it to PATH.
var installFolders = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // Fedora, RHEL
	"/usr/libexec/postgresql*",                           // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",    // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// finder looks for an installation and remembers where it looked, for the message when there is none.
type finder struct {
	explicit string   // a folder named by the user: only this one counts
	path     string   // the PATH variable
	folders  []string // glob patterns
	major    int      // the data directory's major version, 0 when there is no data yet

	searched []string
}

// find returns the first usable installation of PATH, else the newest of the install folders. Data that exists fixes the
// major version, because Postgres reads only its own.
func (f *finder) find(ctx context.Context) (Installation, bool, error) {
	if f.explicit != "" {
		if program := missingProgram(f.explicit); program != "" {
			return Installation{}, false, fmt.Errorf(
				"--postgres-bin %s: has no %s: name the folder that holds initdb and postgres, or leave the option out", f.explicit, program)
		}
		found, refusal := f.inspect(ctx, f.explicit)
		if refusal != "" {
			return Installation{}, false, fmt.Errorf("--postgres-bin %s: %s", f.explicit, refusal)
		}
		return found, true, nil
	}
	if found, ok := f.among(ctx, "PATH", filepath.SplitList(f.path), firstWins); ok {
		return found, true, nil
	}
	var newest Installation
	for _, pattern := range f.folders {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return Installation{}, false, fmt.Errorf("look into %s: %w", pattern, err)
		}
		if found, ok := f.among(ctx, pattern, folders, newestWins); ok && newer(found, newest) {
			newest = found
		}
	}
	return newest, newest.BinDir != "", nil
}

type preference bool

const (
	firstWins  preference = false
	newestWins preference = true
)

func (f *finder) among(ctx context.Context, place string, folders []string, prefer preference) (Installation, bool) {
	var best Installation
	var refusals []string
	for _, folder := range folders {
		if folder == "" || !executable(filepath.Join(folder, "postgres")) {
			continue
		}
		found, refusal := f.inspect(ctx, folder)
		switch {
		case refusal != "":
			refusals = append(refusals, fmt.Sprintf("%s: %s", folder, refusal))
		case prefer == firstWins:
			return found, true
		case newer(found, best):
			best = found
		}
	}
	if best.BinDir != "" {
		return best, true
	}
	if len(refusals) == 0 {
		refusals = []string{"nothing there"}
	}
	f.searched = append(f.searched, place+": "+strings.Join(refusals, "; "))
	return Installation{}, false
}

// inspect says why the folder cannot be used, or "".
func (f *finder) inspect(ctx context.Context, folder string) (Installation, string) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return Installation{}, err.Error()
	}
	if program := missingProgram(folder); program != "" {
		return Installation{}, "has no " + program
	}
	release, err := releaseOf(ctx, filepath.Join(folder, "postgres"))
	if err != nil {
		return Installation{}, err.Error()
	}
	if refusal := release.refusal(); refusal != "" {
		return Installation{}, refusal
	}
	if f.major != 0 && release.Major != f.major {
		return Installation{}, fmt.Sprintf("is %v, but the data directory was made by Postgres %d", release, f.major)
	}
	return Installation{BinDir: folder, Release: release}, ""
}

// missingProgram is the first of the programs needed that the folder lacks, "" when it has them all.
func missingProgram(folder string) string {
	for _, program := range []string{"postgres", "initdb"} {
		if !executable(filepath.Join(folder, program)) {
			return program
		}
	}
	return ""
}

func newer(a, b Installation) bool {
	if a.Release.Major != b.Release.Major {
		return a.Release.Major > b.Release.Major
	}
	return a.Release.Minor > b.Release.Minor
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
