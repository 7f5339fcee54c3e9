#!/bin/sh
# A short run under valgrind: the C tests, and exchanges of each kind with failing calls.
#   tools/valgrind.sh BUILD_DIR PYTHON [KIND ...]
# Python allocates each object with malloc (PYTHONMALLOC); memory that it keeps to the end
# is not reported.
set -u

if ! command -v valgrind >/dev/null 2>&1; then
    echo "valgrind: skipped: it is not installed"
    exit 0
fi
build=$(cd "$1" && pwd)
python=$2
shift 2
kinds=${*:-hello chunked stream websocket deflated h2-post tls}
# Valgrind loses the connection that it accepts beyond RLIMIT_NOFILE, and before 3.20 it
# does not know openat2(), without which no symbolic link is followed.
odd='test_(listener|load)$'
# These take minutes, and are covered by ASan.
slow='test_(h2_torture|torture|timer|ws_utf8|ws_deflate|ws_mask|scan|outq|h2_session)$'
passed=0
failed=0
check() {
    name=$1
    shift
    if PATIENCE=20 valgrind -q --error-exitcode=99 \
        --suppressions=tools/valgrind.supp "$@" >"$build/valgrind.log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "valgrind: $name failed"
        tail -n 40 "$build/valgrind.log"
    fi
}

for test in "$build"/tests/c/test_*; do
    [ -f "$test" ] && [ -x "$test" ] || continue
    echo "$test" | grep -Eq "$slow|$odd" && continue
    check "${test##*/}" --leak-check=full "$test"
done
export PYTHONPATH="$build/stage" PYTHONMALLOC=malloc
for kind in $kinds; do
    check "$kind" "$python" tests/asgi/failing_calls.py "$kind"
done
echo "valgrind: $passed passed, $failed failed"
[ "$failed" = 0 ]
