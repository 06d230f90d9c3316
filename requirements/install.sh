#!/bin/sh
# Install the locked dependencies (hashes checked) and this checkout into .venv.
# usage: install.sh PYTHON app|dev
set -eu
python=$1
set_=$2
if [ ! -x .venv/bin/python ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
        echo "box-review needs Python 3.11 or newer; $python is $("$python" --version 2>&1 || echo missing). Try: make PYTHON=python3.11 ..." >&2
        exit 2
    }
    echo "making .venv ..."
    "$python" -m venv .venv || {
        echo "$python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2
        exit 2
    }
fi
pip="./.venv/bin/python -m pip --disable-pip-version-check -q"
echo "installing the locked dependencies ($set_) ..."
$pip install --require-hashes -r "requirements/$set_.txt" -r requirements/build.txt
$pip install --no-build-isolation --no-deps -e ./sdk -e .
touch ".venv/$set_"
