#!/bin/sh
# Checks the rules: format, layers, sizes, banned calls, asserts, a test for each
# C file, static analysis, Python style and types, the stub against the extension.
#   tools/check.sh BUILD_DIR
set -u

build=$1
failed=0
step() {
    name=$1
    shift
    if "$@"; then
        echo "check: $name ok"
    else
        echo "check: $name FAILED"
        failed=1
    fi
}

sources=$(git ls-files '*.c' '*.h')
# shellcheck disable=SC2086
step format clang-format --dry-run -Werror $sources
step layers python tools/check_layers.py
step sizes python tools/check_sizes.py
step banned python tools/check_banned.py
step asserts python tools/check_asserts.py
step tests python tools/check_tests.py
step documents env PYTHONPATH="$build/stage" PYTHONSAFEPATH=1 \
    python tools/option_docs.py --check
step unique python tools/check_static_names.py
step names python tools/check_names.py
step words python tools/check_words.py
# shellcheck disable=SC2046
step codespell codespell -q 3 $(git ls-files '*.md' '*.py' '*.pyi' '*.c' '*.h' '*.sh' '*.def' Makefile)
step analyze tools/analyze.sh "$build"
step ruff ruff check -q .
step ruff-format ruff format --check -q .
step mypy mypy --no-error-summary
step stubtest env PYTHONPATH="$build/stage" python -P -m mypy.stubtest \
    --mypy-config-file pyproject.toml --concise bolide._engine
exit $failed
