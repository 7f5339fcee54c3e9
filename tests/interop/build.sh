#!/bin/sh
# usage: tests/interop/build.sh FOLDER: builds the clients of run.py that are programs, if
# there are go and cargo, into FOLDER. Their libraries are fetched the first time.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"
if command -v go >/dev/null 2>&1; then
    (cd quic_go && go build -o "$folder/quic-go" .) || echo "interop: quic-go is not built"
fi
if command -v cargo >/dev/null 2>&1; then
    if (cd quinn && CARGO_TARGET_DIR="$folder/target" cargo build -q --locked); then
        cp "$folder/target/debug/interop" "$folder/quinn"
    else
        echo "interop: quinn is not built"
    fi
fi
