#!/usr/bin/env bash
# Checks that this machine has what `make test` and `make lint` need: Go, make, a C compiler for the race detector,
# Postgres, Redis or Valkey, and Node with npm for the linters of the API document.
# What is missing is installed when we are root on a Debian-like system; otherwise the script says what to install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly want_go=1.26 want_postgres=15.14 want_node=20

# at_least HAVE WANT compares dotted versions.
at_least() {
	[[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

check_go() {
	if ! command -v go >/dev/null; then
		echo "Go is missing: install Go $want_go or later, see https://go.dev/doc/install" >&2
		return 1
	fi
	# In this folder an older go command fetches the toolchain that go.mod asks for, unless it is told not to.
	local have
	have=$(go env GOVERSION) || return 1
	if ! at_least "${have#go}" "$want_go"; then
		echo "Go $want_go or later is needed, this is $have: see https://go.dev/doc/install" >&2
		return 1
	fi
}

has_compiler() {
	command -v "${CC:-gcc}" >/dev/null &&
		echo '#include <stdlib.h>' | "${CC:-gcc}" -x c -E - >/dev/null 2>&1
}

# has_postgres looks in PATH and where Debian and Homebrew keep the server, as the programs do. A server is of use
# only with its initdb beside it.
has_postgres() {
	local dir version
	local -a dirs=(/usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin)
	if dir=$(command -v postgres); then
		dirs=("$(dirname "$dir")" "${dirs[@]}")
	fi
	for dir in "${dirs[@]}"; do
		[[ -x $dir/postgres && -x $dir/initdb ]] || continue
		version=$("$dir/postgres" --version | grep -oE '[0-9]+(\.[0-9]+)?' | head -n 1)
		if at_least "$version" "$want_postgres"; then
			return 0
		fi
	done
	return 1
}

has_redis() {
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null
}

has_node() {
	local have
	command -v npm >/dev/null && have=$(node --version 2>/dev/null) && at_least "${have#v}" "$want_node"
}

can_install() {
	[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null
}

# install PACKAGE... installs Debian packages. Debian would start servers of Postgres and Redis with their packages;
# nobody here needs them, as tests and `make run` start their own. So it is told not to make a cluster, and, unless the
# machine has a policy of its own, not to start anything.
install() {
	no_cluster=/etc/postgresql-common/createcluster.d/bulkhead.conf
	no_start=
	mkdir -p "$(dirname "$no_cluster")"
	trap 'rm -f "$no_cluster" ${no_start:+"$no_start"}' EXIT
	echo 'create_main_cluster = off' >"$no_cluster"
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		no_start=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$no_start"
		chmod +x "$no_start"
	fi

	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	apt-get install -q -y --no-install-recommends "$@"
}

check_go

packages=()
command -v make >/dev/null || packages+=(make)
has_compiler || packages+=(gcc libc6-dev)
has_postgres || packages+=(postgresql)
has_redis || packages+=(redis-server)
if ! has_node && can_install; then
	packages+=(nodejs npm)
fi

if ((${#packages[@]})); then
	if ! can_install; then
		echo "Missing: ${packages[*]} (names of Debian packages; Postgres must be $want_postgres or later)." >&2
		echo "On Debian or Ubuntu: sudo apt-get install --no-install-recommends ${packages[*]}" >&2
		exit 1
	fi
	echo "Installing ${packages[*]}"
	install "${packages[@]}"
	if ! has_compiler || ! has_postgres || ! has_redis; then
		echo "There is still no C compiler, no Redis, or no Postgres $want_postgres or later." >&2
		echo "See https://www.postgresql.org/download/ for a later Postgres." >&2
		exit 1
	fi
fi
if ! has_node; then
	# Everything but the linters of the API document does without.
	echo "make lint-api needs npm and Node $want_node or later: see https://nodejs.org/en/download" >&2
fi
echo "Dependencies: $(go env GOVERSION), a C compiler, Postgres, Redis: all here."
