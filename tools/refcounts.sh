#!/bin/sh
# Builds the extension for a CPython that counts all references (Debian: python3-dbg) and
# runs tools/refcounts.py with it.
#   tools/refcounts.sh BUILD_DIR [REQUESTS]
set -eu

dir=$1
shift
python=${DEBUG_PYTHON:-python3-dbg}
if ! command -v "$python" >/dev/null 2>&1; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq install -y \
        --no-install-recommends python3-dbg python3-dev python3-venv >/dev/null 2>&1 || true
fi
if ! command -v "$python" >/dev/null 2>&1; then
    echo "refcounts: skipped: there is no $python"
    exit 0
fi
if [ ! -x "$dir-venv/bin/meson" ]; then
    "$python" -m venv "$dir-venv"
    "$dir-venv/bin/python" -m pip install -q -r requirements/build.txt
fi
PATH="$PWD/$dir-venv/bin:$PATH" tools/build.sh "$dir" --buildtype=debugoptimized
PYTHONPATH=$PWD/$dir/stage "$dir-venv/bin/python" -P tools/refcounts.py "$@"
