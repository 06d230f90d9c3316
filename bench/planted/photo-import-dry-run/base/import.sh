#!/bin/sh
# Copy new photos from one folder to another.
set -eu
. "$(dirname -- "$0")/photos.sh"

[ $# -eq 2 ] || fail "usage: import.sh FROM TO"
from=$1 to=$2
[ -d "$from" ] || fail "no such folder: $from"
mkdir -p -- "$to"

for file in "$from"/*; do
    is_photo "$file" || continue
    name=${file##*/}
    if [ -e "$to/$name" ]; then
        continue
    fi
    copy_photo "$file" "$to/$name"
    printf '%s\n' "$name"
done
