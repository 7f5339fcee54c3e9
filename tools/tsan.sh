#!/bin/sh
# Runs the C tests under ThreadSanitizer: those of what runs in threads (the writers of the
# access log, the counters that other threads and processes read) and all others with them.
#   tools/tsan.sh BUILD_DIR PYTHON [TEST ...]
# BUILD_DIR was built with -Db_sanitize=thread.
set -u

build=$(cd "$1" && pwd)
python=$2
shift 2
# An oversized allocation returns NULL, as with any allocator: test_mem.c needs that.
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:allocator_may_return_null=1"
PATIENCE=6 "$python" tools/run_c_tests.py "$build" "$@"
