#!/bin/sh
# Runs every suite under AddressSanitizer and UndefinedBehaviorSanitizer.
#   tools/asan.sh BUILD_DIR PYTHON [PYTEST_ARGUMENT ...]
# BUILD_DIR was built with -Db_sanitize=address,undefined.  Everything takes longer:
# PATIENCE is the factor by which the tests multiply their deadlines.
set -u

build=$(cd "$1" && pwd)
python=$2
shift 2
failed=0

export PATIENCE=6
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
ASAN_OPTIONS=detect_leaks=1 "$python" tools/run_c_tests.py "$build" || failed=1
tools/fuzz.sh "$build" "$python" "-runs=${RUNS:-5000}" || failed=1
. tools/sanitizer/environment.sh
export PYTHONPATH="$PYTHONPATH:$build/stage:$build/tests/awaitable:$build/examples/c_app"
"$python" tests/wire/run.py || failed=1
"$python" tests/wire/run_h2.py || failed=1

run_tests() {
    PYTHONSAFEPATH=1 "$python" -m pytest -n "${JOBS:-3}" --dist loadfile "$@" || failed=1
}

# Its tests bound the memory of the process, which includes what is freed and kept.
keep_little() {
    export ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=8"
}

case $* in
'')
    run_tests --ignore=tests/http3
    keep_little
    run_tests tests/http3
    ;;
*tests/http3*)
    keep_little
    run_tests "$@"
    ;;
*) run_tests "$@" ;;
esac
exit $failed
