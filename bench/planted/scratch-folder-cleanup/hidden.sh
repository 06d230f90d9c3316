#!/bin/sh
set -u
export PYTHONDONTWRITEBYTECODE=1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
BUILD_SCRATCH="$folder/my scratch"
export BUILD_SCRATCH
mkdir -p "$BUILD_SCRATCH/keep me" "$BUILD_SCRATCH/scratch-old one" "$BUILD_SCRATCH/scratch-recent12" "$folder/other"
echo x > "$folder/other/file"
ln -s "$folder/other" "$BUILD_SCRATCH/scratch-linklink"
/usr/bin/python3 -c 'import os, sys
for name in sys.argv[1:]:
    os.utime(name, (1000000000, 1000000000))' "$BUILD_SCRATCH/keep me" "$BUILD_SCRATCH/scratch-old one" "$folder/other"
sh build.sh "$folder/out" sh -c 'echo "$1" > result' x 'a b' || exit 1
[ "$(cat "$folder/out")" = 'a b' ] || exit 1
[ -d "$BUILD_SCRATCH/keep me" ] && [ -d "$BUILD_SCRATCH/scratch-recent12" ] && [ -f "$folder/other/file" ] || exit 1
status=0
sh build.sh "$folder/out2" sh -c 'exit 7' || status=$?
[ "$status" -eq 7 ] && [ ! -e "$folder/out2" ] || exit 1
