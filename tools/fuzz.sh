#!/bin/sh
# Runs each fuzz target over its corpus and mutations of it, then compares the parser with
# llhttp and h11 on the same inputs.
#   tools/fuzz.sh BUILD_DIR PYTHON -runs=N|-seconds=N [-seed=S] [TARGET ...]
# BUILD_DIR was built with -Dfuzzers=true.  N counts for each target.  A TARGET is the name
# of a corpus, or "differential"; none: all.  With -runs the same seed gives the same inputs.
set -u

build=$(cd "$1" && pwd)
python=$2
bound=$3
shift 3
seed=1
case ${1:-} in -seed=*) seed=${1#-seed=}; shift ;; esac
targets=${*:-$(ls tests/fuzz/corpus) differential}
# An input that crashes under the sanitizers is kept, too.
export ASAN_OPTIONS="abort_on_error=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
passed=0
failed=0

compare() {
    set -- "-$bound"
    case $(cat "$build/options" 2>/dev/null) in
    *b_sanitize=address*) . tools/sanitizer/environment.sh ;;
    esac
    "$python" tests/fuzz/differential.py "$build/tests/fuzz/libbolide_h1.so" "$@" \
        --seed "$seed"
}

for target in $targets; do
    if [ "$target" = differential ]; then
        (compare)
    else
        "$build/tests/fuzz/fuzz_$target" "$bound" "-seed=$seed" \
            "tests/fuzz/corpus/$target"
    fi
    # shellcheck disable=SC2181
    if [ $? = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "fuzz: $target failed"
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" = 0 ]
