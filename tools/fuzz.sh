#!/bin/sh
# Runs each fuzz target over its corpus and mutations of it, then compares the parser with
# llhttp and h11 on the same inputs.
#   tools/fuzz.sh BUILD_DIR PYTHON -runs=N|-seconds=N|-merge [-seed=S] [TARGET ...]
# BUILD_DIR was built with -Dfuzzers=true.  N counts for each target.  A TARGET is the name
# of a corpus, "differential" or "settings"; none: all.  With -runs the same seed gives the
# same inputs.  Inputs with new paths are kept in BUILD_DIR/found/TARGET; with -seconds they
# are used again. -merge adds those with new paths to the corpora.
set -u

build=$(cd "$1" && pwd)
python=$2
bound=$3
shift 3
seed=1
case ${1:-} in -seed=*) seed=${1#-seed=}; shift ;; esac
targets=${*:-$(ls tests/fuzz/corpus) differential settings}
# An input that crashes under the sanitizers is kept, too.
export ASAN_OPTIONS="abort_on_error=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
passed=0
failed=0

run_script() {
    case $(cat "$build/options" 2>/dev/null) in
    *b_sanitize=address*) . tools/sanitizer/environment.sh ;;
    esac
    library=
    [ "$target" = settings ] || library=$build/tests/fuzz/libbolide_h1.so
    export PYTHONPATH="$build/stage${PYTHONPATH:+:$PYTHONPATH}"
    # shellcheck disable=SC2086
    "$python" "tests/fuzz/$target.py" $library "-$bound" --seed "$seed"
}

run() {
    corpus=tests/fuzz/corpus/$target
    found=$build/found/$target
    mkdir -p "$found"
    case $bound in
    -merge)
        mkdir -p "$build/found/old"
        rm -f "$build/found/old"/*
        mv "$corpus"/found-* "$build/found/old" 2>/dev/null
        "$build/tests/fuzz/fuzz_$target" "-merge=$corpus" "$corpus" "$build/found/old" \
            "$found"
        ;;
    -runs=*)
        runs=${bound#-runs=}
        case $target in quic*) runs=$((runs / 5)) ;; esac # each has several handshakes
        "$build/tests/fuzz/fuzz_$target" "-runs=$runs" "-seed=$seed" "$corpus"
        ;;
    *) "$build/tests/fuzz/fuzz_$target" "$bound" "-seed=$seed" "-keep=$found" \
        "$corpus" "$found" ;;
    esac
}

for target in $targets; do
    case $target in
    differential | settings)
        [ "$bound" = -merge ] && continue
        (run_script)
        ;;
    *) run ;;
    esac
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
