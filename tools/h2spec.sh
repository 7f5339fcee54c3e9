#!/bin/sh
# Installs h2spec, a Go program, below build/go if it is missing.  Exits with 1 and a reason
# if it cannot be installed.
#   tools/h2spec.sh
set -eu

[ ! -x build/go/h2spec ] || exit 0
command -v go >/dev/null 2>&1 || {
    echo "h2spec cannot be installed: there is no go (apt-get install golang-go)" >&2
    exit 1
}
echo "installing: h2spec"
mkdir -p build/go
# Some module proxies know the version by its number, others only as the latest.
for version in v2.2.1 latest; do
    ! GOBIN=$PWD/build/go go install "github.com/summerwind/h2spec/cmd/h2spec@$version" \
        2>build/go/log || exit 0
done
echo "h2spec cannot be installed: $(tail -n 1 build/go/log)" >&2
exit 1
