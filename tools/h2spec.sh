#!/bin/sh
# Installs h2spec below build/go, where it is missing: a Go program, for which a Go has to be
# there (apt-get install golang-go).
#   tools/h2spec.sh
set -eu

[ ! -x build/go/h2spec ] || exit 0
command -v go >/dev/null 2>&1 || {
    echo "h2spec: not run: no go here, which installs it (https://go.dev/dl)" >&2
    exit 2
}
echo "installing: h2spec"
mkdir -p build/go
GOBIN=$PWD/build/go go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1 2>build/go/log || {
    cat build/go/log >&2
    exit 1
}
