#!/bin/sh
# Analyzes execution paths: gcc -fanalyzer over the engine, and clang-tidy (.clang-tidy)
# over all of src/, if it is installed. Linux has no header for the code of kqueue.
#   tools/analyze.sh BUILD_DIR
set -u

build=$1
failed=0
engine=$(git ls-files 'src/*.c' | grep -v -e '^src/asgi/' -e '^src/awaitable/' \
    -e '^src/py/' -e neon -e kqueue)

# CPython's macros cause false positives of -fanalyzer, so only the engine is analyzed.
case $(cc --version) in
*"Free Software Foundation"*)
    # shellcheck disable=SC2086
    echo $engine | tr ' ' '\n' | xargs -P 2 -n 8 sh -c '
        build=$1; shift
        for file; do
            cc -fanalyzer -Wno-analyzer-malloc-leak -O1 -std=gnu11 -D_GNU_SOURCE -Isrc \
                "-I$build" -Werror -c "$file" -o /dev/null || exit 255
        done' sh "$build" || failed=1
    ;;
*) echo "gcc -fanalyzer: skipped: cc is not gcc" ;;
esac
if command -v clang-tidy >/dev/null 2>&1; then
    git ls-files 'src/*.c' | grep -v -e neon -e kqueue |
        xargs -P 2 -n 8 clang-tidy --quiet --extra-arg=-w -p "$build" 2>/dev/null || failed=1
else
    echo "clang-tidy: skipped: it is not installed"
fi
exit $failed
