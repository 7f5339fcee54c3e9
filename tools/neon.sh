#!/bin/sh
# Builds the files with NEON code for 64-bit ARM, with their unit tests, and runs them under
# qemu, for other machines.
#   tools/neon.sh DIR
set -eu

cc=aarch64-linux-gnu-gcc
mkdir -p "$1"
sources=$(ls src/base/*.c src/http/*.c src/http1/*.c src/ws/bytes.c src/ws/mask.c \
    src/ws/utf8.c src/ws/utf8_neon.c)
passed=0
failed=0
for name in scan parse framing chunked ws_mask ws_utf8; do
    test=tests/c/test_$name.c
    # A test includes the file that it tests, which must not be linked a second time.
    own=$(sed -n 's|^#include "\(.*\.c\)"|src/\1|p' "$test")
    others=$(for file in $sources; do
        case " $own " in *"$file"*) ;; *) echo "$file" ;; esac
    done)
    # shellcheck disable=SC2086
    "$cc" -std=gnu11 -O2 -D_GNU_SOURCE -Isrc -static -o "$1/test_$name" "$test" $others
    if out=$(qemu-aarch64 "$1/test_$name"); then :; else echo "test_$name: failed"; fi
    passed=$((passed + $(echo "$out" | grep -c '^ok' || true)))
    failed=$((failed + $(echo "$out" | grep -c '^not ok' || true)))
    echo "$out" | grep '^not ok' || true
done
echo "neon: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
