#!/bin/sh
# Installs what the build needs from the system's packages, where it is missing: a C
# compiler, zlib, OpenSSL, nghttp2, and for the system's own Python its headers and its venv
# module.
#   tools/setup.sh [--test | --bench | --browser | --guard | --neon |
#   --ktls] PYTHON
# --test, --bench, ...: what the verb of that name needs as well.
set -eu

missing=""
useful="" # tests are skipped without it
if [ "$1" = --test ]; then
    shift
    command -v zsh >/dev/null 2>&1 || missing="$missing zsh"
    command -v fish >/dev/null 2>&1 || missing="$missing fish"
    command -v curl >/dev/null 2>&1 || missing="$missing curl"
    command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
    PATH="$PATH:/usr/sbin"
    command -v wrk >/dev/null 2>&1 || useful="$useful wrk"
    command -v c++ >/dev/null 2>&1 || useful="$useful g++"
    command -v nginx >/dev/null 2>&1 || useful="$useful nginx-light"
    [ -f /usr/lib/nginx/modules/ngx_stream_module.so ] ||
        useful="$useful libnginx-mod-stream"
    command -v haproxy >/dev/null 2>&1 || useful="$useful haproxy"
    command -v caddy >/dev/null 2>&1 || useful="$useful caddy"
    command -v systemd-analyze >/dev/null 2>&1 || useful="$useful systemd"
elif [ "$1" = --bench ]; then
    shift
    command -v wrk >/dev/null 2>&1 || missing="$missing wrk"
    command -v h2load >/dev/null 2>&1 || missing="$missing nghttp2-client"
    command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
    command -v taskset >/dev/null 2>&1 || missing="$missing util-linux"
    PATH="$PATH:/sbin" ldconfig -p | grep -q 'libuv\.so\.1' || useful="$useful libuv1"
elif [ "$1" = --browser ]; then
    shift
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
        missing="$missing chromium"
elif [ "$1" = --neon ]; then
    shift
    command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 ||
        missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    command -v qemu-aarch64 >/dev/null 2>&1 || missing="$missing qemu-user"
elif [ "$1" = --guard ]; then
    shift
    command -v valgrind >/dev/null 2>&1 || missing="$missing valgrind"
elif [ "$1" = --ktls ]; then
    shift
    PATH="$PATH:/usr/sbin:/sbin"
    command -v qemu-system-x86_64 >/dev/null 2>&1 || missing="$missing qemu-system-x86"
    command -v depmod >/dev/null 2>&1 || missing="$missing kmod"
    command -v cpio >/dev/null 2>&1 || missing="$missing cpio"
fi
python=$1

command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
has_header() {
    echo "#include <$1>" | cc -E - >/dev/null 2>&1
}
has_header zlib.h || missing="$missing zlib1g-dev"
has_header openssl/ssl.h || missing="$missing libssl-dev"
has_header nghttp2/nghttp2.h || missing="$missing libnghttp2-dev"
if ! command -v "$python" >/dev/null 2>&1; then
    missing="$missing python3 python3-dev python3-venv"
else
    "$python" - <<'EOF' || { echo "$python is older than 3.11" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
EOF
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    header=$("$python" -c \
        'import sysconfig; print(sysconfig.get_paths()["include"] + "/Python.h")')
    [ -f "$header" ] || missing="$missing python3-dev"
fi
[ -n "$missing$useful" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
export DEBIAN_FRONTEND=noninteractive
install() {
    echo "installing: $*"
    $as_root apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}
$as_root apt-get -qq update >/dev/null
# shellcheck disable=SC2086
[ -z "$missing" ] || install $missing
for package in $useful; do
    install "$package" || echo "no $package here: its tests are skipped"
done
