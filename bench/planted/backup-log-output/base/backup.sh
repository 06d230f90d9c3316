#!/bin/sh
# Dump the database into a folder and keep the newest dumps.
set -eu
. "$(dirname -- "$0")/lib.sh"

[ $# -eq 1 ] || fail "usage: backup.sh FOLDER"
folder=$1
keep=3
[ -d "$folder" ] || fail "no such folder: $folder"

number=$(next_number "$folder")
new=$folder/dump-$number

if ! ${BACKUP_DUMP:-pg_dump_all} "$new.part"; then
    rm -f "$new.part"
    fail "the dump failed"
fi
mv "$new.part" "$new"
remove_old "$folder" "$keep"
echo "done: ${new##*/}"
