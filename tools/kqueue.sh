#!/bin/sh
# Builds the engine as for macOS and the BSDs, with libkqueue in place of kqueue, and runs
# the C tests and the wire cases.
#   tools/kqueue.sh DIR PYTHON
set -eu

dir=$1
python=$2
if ! pkg-config --exists libkqueue; then
    echo "libkqueue is missing: install libkqueue-dev if your system has it, or build" >&2
    echo "https://github.com/mheily/libkqueue and name its folder lib/pkgconfig in" >&2
    echo "PKG_CONFIG_PATH" >&2
    exit 1
fi
LD_LIBRARY_PATH=$(pkg-config --variable=libdir libkqueue)
export LD_LIBRARY_PATH
tools/build.sh "$dir" --buildtype=debugoptimized -Dwerror_dev=true -Dunit_tests=true \
    -Dkqueue=true
"$python" tools/run_c_tests.py "$dir"
export PYTHONPATH="$PWD/$dir/stage"
"$python" tests/wire/run.py
"$python" tests/wire/run_h2.py
