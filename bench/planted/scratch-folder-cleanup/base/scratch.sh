# shellcheck shell=sh
# Functions for scratch folders.

fail() {
    printf 'build: %s\n' "$1" >&2
    exit 2
}

# new_scratch PARENT: make a scratch folder and write its name
new_scratch() {
    mkdir -p -- "$1"
    mktemp -d "$1/scratch-XXXXXXXX"
}
