#!/bin/sh
# Dump the database into a folder and keep the newest dumps.
set -eu
. "$(dirname -- "$0")/lib.sh"

[ $# -eq 1 ] || fail "usage: backup.sh FOLDER"
folder=$1
keep=3
[ -d "$folder" ] || fail "no such folder: $folder"

log=$folder/backup.log

# step NAME COMMAND...: run a command; what it writes is shown and kept in the log
step() {
    stamp "$1" >> "$log"
    shift
    "$@" 2>&1 | tee -a "$log"
}

number=$(next_number "$folder")
new=$folder/dump-$number

if ! step dump ${BACKUP_DUMP:-pg_dump_all} "$new.part"; then
    rm -f "$new.part"
    fail "the dump failed"
fi
mv "$new.part" "$new"
step "remove old" remove_old "$folder" "$keep"
echo "done: ${new##*/}"
