#!/bin/sh
# Installs missing system packages that the build needs: a C compiler, zlib, OpenSSL,
# nghttp2, brotli, zstd, and for the system's own Python its headers and its venv module.
#   tools/setup.sh [--test | --bench | --browser | --guard | --smuggling | --neon |
#   --ktls | --debian13 | --wheels] PYTHON
# --test, --bench, ...: also what the make target of that name needs.
set -eu

missing=""
useful="" # without it tests are skipped
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
    has_library() {
        PATH="$PATH:/sbin" ldconfig -p | grep -q "$1\.so\.[0-9]"
    }
    has_library libuv || useful="$useful libuv1"
    has_library libjemalloc || useful="$useful libjemalloc2"
    # The package of the library alone has another name in each release of Debian.
    has_library libmimalloc || useful="$useful libmimalloc-dev"
elif [ "$1" = --browser ]; then
    shift
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
        missing="$missing chromium"
elif [ "$1" = --smuggling ]; then
    shift
    PATH="$PATH:/usr/sbin"
    for proxy in nginx haproxy apache2 varnish caddy; do
        [ -x "/usr/sbin/$proxy" ] || [ -x "/usr/bin/$proxy" ] ||
            [ -x "/usr/sbin/${proxy}d" ] || useful="$useful $proxy"
    done
elif [ "$1" = --neon ]; then
    shift
    command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 ||
        missing="$missing gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    command -v qemu-aarch64 >/dev/null 2>&1 || missing="$missing qemu-user"
elif [ "$1" = --guard ]; then
    shift
    command -v valgrind >/dev/null 2>&1 || missing="$missing valgrind"
elif [ "$1" = --wheels ]; then
    shift
    for program in curl make openssl patch perl; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
    # It knows the mirrors of Ubuntu.
    [ -d /usr/share/debootstrap/scripts ] || missing="$missing debootstrap"
elif [ "$1" = --debian13 ]; then
    shift
    PATH="$PATH:/usr/sbin"
    command -v debootstrap >/dev/null 2>&1 || missing="$missing debootstrap"
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
# HTTP/3 is left out where these are missing, or too old.
http3=""
if ! has_header ngtcp2/ngtcp2.h || ! has_header nghttp3/nghttp3.h; then
    http3="libngtcp2-dev libnghttp3-dev"
fi
has_header brotli/encode.h || useful="$useful libbrotli-dev"
has_header zstd.h || useful="$useful libzstd-dev"
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
[ -n "$missing$useful$http3" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
export DEBIAN_FRONTEND=noninteractive
install() {
    echo "installing: $*"
    $as_root apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}
# Debian 12 has libraries that are new enough in its backports alone.
install_http3() {
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    if [ "$codename" != bookworm ]; then
        # shellcheck disable=SC2086
        install $http3
        return
    fi
    list=/etc/apt/sources.list.d/bookworm-backports.list
    if [ ! -f $list ]; then
        site=$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/*$' | head -n 1)
        key=/usr/share/keyrings/debian-archive-keyring.gpg
        echo "deb [signed-by=$key] $site bookworm-backports main" |
            $as_root tee $list >/dev/null
        $as_root apt-get -qq update >/dev/null
    fi
    # shellcheck disable=SC2086
    install -t bookworm-backports $http3
}
$as_root apt-get -qq update >/dev/null
# shellcheck disable=SC2086
[ -z "$missing" ] || install $missing
# shellcheck disable=SC2086
[ -z "$useful" ] || install $useful 2>/dev/null || for package in $useful; do
    install "$package" || echo "no $package here: its tests are skipped"
done
[ -z "$http3" ] || install_http3 ||
    echo "no ngtcp2 and nghttp3 here: HTTP/3 is left out"
