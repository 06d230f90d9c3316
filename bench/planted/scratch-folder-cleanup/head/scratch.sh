# shellcheck shell=sh
# Functions for scratch folders.

fail() {
    printf 'build: %s\n' "$1" >&2
    exit 2
}

# remove_old PARENT DAYS: remove the scratch folders nobody changed for so many days, and nothing else
remove_old() {
    case $2 in
        '' | *[!0-9]*) fail "not a number of days: $2" ;;
    esac
    [ -d "${1:?}" ] || return 0
    find "$1/" -mindepth 1 -maxdepth 1 -type d -name 'scratch-????????' -mtime "+$2" -exec rm -rf -- {} +
}

# new_scratch PARENT: make a scratch folder and write its name
new_scratch() {
    mkdir -p -- "$1"
    mktemp -d "$1/scratch-XXXXXXXX"
}
