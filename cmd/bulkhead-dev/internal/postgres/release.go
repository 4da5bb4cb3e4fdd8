package postgres

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// Release is a Postgres version: 15.18 is major 15, minor 18.
type Release struct {
	Major, Minor int
}

func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }

// oldestMajor is the first major version with everything the product's schema uses.
const oldestMajor = 15

// oldestRelease is the first one that can be used at all.
func oldestRelease() Release { return Release{oldestMajor, fixedMinor[oldestMajor]} }

// fixedMinor is, for each major version, the first minor release that closes CVE-2025-8713. Before it the planner's
// statistics show values of rows which a row-security policy hides, and row security is one of the two walls between
// organizations. Later major versions were born with the fix.
var fixedMinor = map[int]int{15: 14, 16: 10, 17: 6}

// refusal says why the release cannot be used, "" when it can.
func (r Release) refusal() string {
	if r.Major < oldestMajor {
		return fmt.Sprintf("%v is too old, Bulkhead needs %v or later", r, oldestRelease())
	}
	if minor, listed := fixedMinor[r.Major]; listed && r.Minor < minor {
		return fmt.Sprintf("%v shows rows hidden by row security through planner statistics (CVE-2025-8713), fixed in %d.%d",
			r, r.Major, minor)
	}
	return ""
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.(\d+))?`)

// parseRelease reads the output of `postgres --version`. A beta or a development build has no minor number yet.
func parseRelease(output string) (Release, error) {
	match := versionLine.FindStringSubmatch(output)
	if match == nil {
		return Release{}, fmt.Errorf("%q is not a Postgres version", output)
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return Release{}, fmt.Errorf("read Postgres version: %w", err)
	}
	minor := 0
	if match[2] != "" {
		if minor, err = strconv.Atoi(match[2]); err != nil {
			return Release{}, fmt.Errorf("read Postgres version: %w", err)
		}
	}
	return Release{Major: major, Minor: minor}, nil
}

func releaseOf(ctx context.Context, binary string) (Release, error) {
	output, err := exec.CommandContext(ctx, binary, "--version").Output()
	if err != nil {
		return Release{}, fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	return parseRelease(string(output))
}
