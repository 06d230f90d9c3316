# shellcheck shell=sh
# Functions for all commands.

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

store() {
    printf '%s\n' "${DBTOOLS_HOME:-$HOME/.dbtools}"
}

# others FILE HOST USER: all lines but those of the user on the host
others() {
    grep -v "^$2:5432:\*:$3:" "$1" || true
}

# keep_old FILE: keep the previous state next to it, with the same rights
keep_old() {
    if [ -f "$1" ]; then
        cp -p "$1" "$1.old"
    fi
}

# entry HOST USER PASSWORD: one line as the client reads it
entry() {
    printf '%s:5432:*:%s:%s\n' "$1" "$2" "$(printf '%s' "$3" | sed 's/[\\:]/\\&/g')"
}
