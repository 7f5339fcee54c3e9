#!/bin/sh
# Runs every suite under AddressSanitizer and UndefinedBehaviorSanitizer.
#   tools/asan.sh BUILD_DIR PYTHON [PYTEST_ARGUMENT ...]
# BUILD_DIR was built with -Db_sanitize=address,undefined.  Leaks are looked for in the C
# tests alone: an interpreter that exits leaves memory behind on purpose.
set -u

build=$(cd "$1" && pwd)
python=$2
shift 2
failed=0

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
ASAN_OPTIONS=detect_leaks=1 "$python" tools/run_c_tests.py "$build" || failed=1
for what in head chunked hops proxy ws h2; do
    "$build/tests/fuzz/fuzz_$what" -runs=5000 "tests/fuzz/corpus/$what" || failed=1
done

# The interpreter is not built with the sanitizers, so their library has to come first.
# Plain malloc shows what Python's own arenas hide.  Everything takes longer: PATIENCE is
# what the tests' deadlines are multiplied by.
export LD_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libubsan.so)"
export ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc
export PATIENCE=6
export PYTHONPATH="$build/stage:$build/tests/awaitable:$build/examples/c_app"
"$python" tests/wire/run.py || failed=1
"$python" tests/wire/run_h2.py || failed=1
PYTHONSAFEPATH=1 "$python" -m pytest "$@" || failed=1
exit $failed
