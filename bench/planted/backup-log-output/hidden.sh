#!/bin/sh
set -u
export PYTHONDONTWRITEBYTECODE=1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/dumps"
printf 'echo data > "$1"\n' > "$folder/good"
printf 'echo half > "$1"\nexit 3\n' > "$folder/bad"
for n in 1 2 3; do
    BACKUP_DUMP="sh $folder/good" sh backup.sh "$folder/dumps" > /dev/null 2>&1 || exit 1
done
[ -e "$folder/dumps/dump-00001" ] && [ -e "$folder/dumps/dump-00003" ] || exit 1
if BACKUP_DUMP="sh $folder/bad" sh backup.sh "$folder/dumps" > /dev/null 2>&1; then
    echo "the backup is reported as done though the dump failed" >&2
    exit 1
fi
[ -e "$folder/dumps/dump-00001" ] || exit 1
[ ! -e "$folder/dumps/dump-00004" ] || exit 1
