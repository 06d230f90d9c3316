#!/bin/sh
# Copy new photos from one folder to another.
set -eu
. "$(dirname -- "$0")/photos.sh"

dry=
if [ "${1-}" = --dry-run ]; then
    dry=yes
    shift
fi
[ $# -eq 2 ] || fail "usage: import.sh [--dry-run] FROM TO"
from=$1 to=$2
[ -d "$from" ] || fail "no such folder: $from"
[ -n "$dry" ] || mkdir -p -- "$to"

files=$(photos_in "$from")
copied=0 present=0 missing=0
for file in $files; do
    name=${file##*/}
    if [ -e "$to/$name" ]; then
        present=$((present + 1))
        continue
    fi
    if [ ! -f "$file" ]; then
        missing=$((missing + 1))
        continue
    fi
    [ -n "$dry" ] || copy_photo "$file" "$to/$name"
    printf '%s\n' "$name"
    copied=$((copied + 1))
done
printf '%d copied, %d already there, %d gone meanwhile\n' "$copied" "$present" "$missing" >&2
