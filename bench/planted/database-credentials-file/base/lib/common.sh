# shellcheck shell=sh
# Functions for all commands.

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

store() {
    printf '%s\n' "${DBTOOLS_HOME:-$HOME/.dbtools}"
}

# entry HOST USER PASSWORD: one line as the client reads it
entry() {
    printf '%s:5432:*:%s:%s\n' "$1" "$2" "$(printf '%s' "$3" | sed 's/[\\:]/\\&/g')"
}
