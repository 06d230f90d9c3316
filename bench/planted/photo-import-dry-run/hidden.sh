#!/bin/sh
set -u
export PYTHONDONTWRITEBYTECODE=1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/from"
echo a > "$folder/from/a.jpg"
echo b > "$folder/from/notes.txt"
sh import.sh "$folder/from" "$folder/to" > /dev/null 2>&1 || exit 1
[ "$(ls "$folder/to")" = a.jpg ] || exit 1
echo c > "$folder/from/my cat.png"
sh import.sh "$folder/from" "$folder/to" > /dev/null 2>&1 || exit 1
if [ "$(cat "$folder/to/my cat.png" 2> /dev/null)" != c ]; then
    echo "a photo with a blank in its name was not copied" >&2
    exit 1
fi
