#!/bin/sh
# Run a command in a scratch folder and keep its result.
set -eu
. "$(dirname -- "$0")/scratch.sh"

[ $# -ge 2 ] || fail "usage: build.sh OUT COMMAND..."
out=$1
shift
: "${BUILD_SCRATCH:?set it to the folder for scratch folders}"

remove_old "$BUILD_SCRATCH" "${BUILD_KEEP_DAYS:-7}"
folder=$(new_scratch "$BUILD_SCRATCH")
status=0
(cd -- "$folder" && "$@") || status=$?
if [ "$status" -eq 0 ]; then
    [ -f "$folder/result" ] || fail "the command made no result"
    cp -- "$folder/result" "$out"
fi
exit "$status"
