#!/usr/bin/env bash
# Lints the migrations with squawk, each direction by itself: what the way up adds the way down must drop.
# usage: lint-sql.sh SQUAWK CONFIG FILE...
#
# A statement that a rule forbids and that is right nevertheless has "-- squawk-ignore RULE" above it, and
# above that the reason.
set -euo pipefail

squawk=$1 config=$2
shift 2

# The migrator sets lock_timeout for all migrations, and means that a statement may take its time. And a number
# that counts attempts or versions has the type that bounds it.
excluded=require-lock-timeout,require-statement-timeout,prefer-bigint-over-int,prefer-bigint-over-smallint

# The migrations of the first release meet no rows that somebody waits for: they may block and rewrite tables. What they
# destroy needs its reason all the same.
first_release=015
blocking=adding-field-with-default,adding-foreign-key-constraint,adding-not-nullable-field,constraint-missing-not-valid
blocking+=,disallowed-unique-constraint,require-concurrent-index-creation

# What taking a migration back does by its nature. `make test` shows that the rows of all others stay.
taking_back=ban-drop-table,ban-drop-column,require-concurrent-index-deletion

failed=0
lint() { "$squawk" --config "$config" --reporter gcc --stdin-filepath "$1" --exclude "$2" || failed=1; }

for file in "$@"; do
  number=$(basename "$file" | grep -oE '^[0-9]+' || echo 999)
  rules=$excluded
  if ((10#$number <= 10#$first_release)); then rules+=,$blocking; fi
  # The way down keeps the numbers of its lines: those before it become empty.
  lint "$file" "$rules" < <(awk '/^---- create above/ { exit } { print }' "$file")
  lint "$file" "$rules,$taking_back" < <(awk '/^---- create above/ { down = 1 } { print down ? $0 : "" }' "$file")
  awk -v file="$file" '
    /squawk-ignore/ && previous !~ /^ *-- ./ { printf "%s:%d: no reason stands above squawk-ignore\n", file, NR; bad = 1 }
    { previous = $0 }
    END { exit bad }' "$file" || failed=1
done
exit "$failed"
