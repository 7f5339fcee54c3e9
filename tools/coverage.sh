#!/bin/sh
# Counts which lines and branches of src/ the suites run, into BUILD_DIR/coverage.json.
#   tools/coverage.sh BUILD_DIR PYTHON [PYTEST_ARGUMENT ...]
# BUILD_DIR was built with -Db_coverage=true.
set -u

build=$(cd "$1" && pwd)
python=$2
shift 2
failed=0
export PATIENCE=6
export GCOV_ERROR_FILE=/dev/null # a process of another user cannot write its counts

find "$build" -name '*.gcda' -delete
export PYTHONPATH="$build/stage:$build/tests/awaitable:$build/examples/c_app"
"$python" tools/run_c_tests.py "$build" || failed=1
tools/fuzz.sh "$build" "$python" -runs=20000 || failed=1
"$python" tests/wire/run.py || failed=1
"$python" tests/wire/run_h2.py || failed=1
PYTHONSAFEPATH=1 "$python" -m pytest -n "${JOBS:-3}" --dist loadfile "$@" || failed=1
# A file is compiled again into each test that includes it; the counts are added.
"$python" -m gcovr --root . --filter src/ --merge-mode-functions merge-use-line-min \
    --exclude-noncode-lines --exclude-throw-branches --gcov-ignore-parse-errors all \
    --gcov-ignore-errors all --gcov-object-directory "$build" \
    --json "$build/coverage.json" "$build" \
    >"$build/gcovr.log" 2>&1 || { tail -n 5 "$build/gcovr.log"; failed=1; }
exit $failed
