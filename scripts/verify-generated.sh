#!/usr/bin/env bash
# Generates the code anew and fails when any of the given files or folders changes by it.
#
# It compares the files before and after and asks no version control: what is checked is that the sources and the
# generated code belong together, in a clean checkout as well as in the middle of a change. The old files are set
# aside first, so that one whose source is gone is found too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly paths=("$@")
before=$(mktemp -d)
generated=false

finish() {
	if [[ $generated == false ]]; then
		for path in "${paths[@]}"; do
			rm -rf "$path"
		done
		cp -a "$before/." .
		echo "Nothing was changed: the code could not be generated." >&2
	fi
	rm -rf "$before"
}
trap finish EXIT

for path in "${paths[@]}"; do
	if [[ -e $path ]]; then
		mkdir -p "$before/$(dirname "$path")"
		mv "$path" "$before/$path"
	fi
done

make --no-print-directory generate
generated=true

stale=()
for path in "${paths[@]}"; do
	if [[ ! -e $path ]]; then
		echo "make generate did not write $path" >&2
		stale+=("$path")
	elif [[ -d $path ]]; then
		mkdir -p "$before/$path"
		diff -ruN "$before/$path" "$path" || stale+=("$path")
	else
		diff -uN "$before/$path" "$path" || stale+=("$path")
	fi
done

if ((${#stale[@]})); then
	printf '\nGenerated code was not up to date:\n' >&2
	printf '  %s\n' "${stale[@]}" >&2
	printf 'It is now. Commit it together with the source it is generated from.\n' >&2
	exit 1
fi
echo "Generated code is up to date."
