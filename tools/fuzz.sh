#!/bin/sh
# Runs the fuzz targets over their corpora and mutations of them, and compares the parser
# with llhttp on the same inputs.
#   tools/fuzz.sh BUILD_DIR PYTHON RUNS [SEED]
# BUILD_DIR was built with -Dfuzzers=true.  The same seed gives the same inputs.
set -u

build=$1
python=$2
runs=$3
seed=${4:-1}
failed=0

for what in head chunked hops proxy ws h2; do
    "$build/tests/fuzz/fuzz_$what" "-runs=$runs" "-seed=$seed" \
        "tests/fuzz/corpus/$what" || failed=1
done
"$python" tests/fuzz/differential.py "$build/tests/fuzz/libbolide_h1.so" \
    --runs "$((runs / 10))" --seed "$seed" || failed=1
exit $failed
