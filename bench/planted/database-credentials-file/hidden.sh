#!/bin/sh
set -u
export PYTHONDONTWRITEBYTECODE=1
umask 022
DBTOOLS_HOME=$(mktemp -d) || exit 1
rmdir "$DBTOOLS_HOME"
export DBTOOLS_HOME
trap 'rm -rf "$DBTOOLS_HOME"' EXIT
echo one | sh bin/set-password db.example app || exit 1
echo t:wo | sh bin/set-password db.example app || exit 1
[ "$(cat "$DBTOOLS_HOME/pgpass")" = 'db.example:5432:*:app:t\:wo' ] || exit 1
mode=$(/usr/bin/python3 -c 'import os, sys; print(oct(os.stat(sys.argv[1]).st_mode & 0o777))' "$DBTOOLS_HOME/pgpass")
if [ "$mode" != 0o600 ]; then
    echo "the file has the mode $mode" >&2
    exit 1
fi
