# shellcheck shell=sh
# Functions for the backup.

fail() {
    printf 'backup: %s\n' "$1" >&2
    exit 1
}

# next_number FOLDER: five digits, one more than the newest dump has
next_number() {
    newest=00000
    for file in "$1"/dump-[0-9][0-9][0-9][0-9][0-9]; do
        [ -e "$file" ] && newest=${file##*-}
    done
    while [ "${newest#0}" != "$newest" ] && [ "$newest" != 0 ]; do
        newest=${newest#0}
    done
    printf '%05d\n' $((newest + 1))
}

# remove_old FOLDER COUNT: remove all but the newest dumps
remove_old() {
    keep_count=$2
    set -- "$1"/dump-[0-9][0-9][0-9][0-9][0-9]
    while [ $# -gt "$keep_count" ]; do
        rm -f -- "$1"
        shift
    done
}
