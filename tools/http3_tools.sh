#!/bin/sh
# Builds two programs that measure HTTP/3 into a folder of the cache: h2load, which most
# distributions build without it, and nginx with OpenSSL >= 3.5. Both are from Debian sid,
# with their libraries, so any Linux runs them. Needs root and debootstrap; prints a reason
# and exits with 1 if there is no such folder at the end.
#   tools/http3_tools.sh PYTHON
set -eu

folder=${XDG_CACHE_HOME:-$HOME/.cache}/bolide-http3
[ ! -x "$folder/h2load" ] || exit 0
fail() {
    echo "HTTP/3 is not measured: $1" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || fail "h2load is built by root (sudo make http3-tools)"
command -v debootstrap >/dev/null 2>&1 || fail "there is no debootstrap"

echo "building h2load and fetching nginx (some minutes)"
root=$(mktemp -d /var/tmp/bolide-sid.XXXXXX)
trap 'rm -rf "$root"' EXIT
log=$root.log
debootstrap --variant=minbase --include=ca-certificates sid "$root" >"$log" 2>&1 ||
    fail "debootstrap failed: $(tail -n 1 "$log")"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
PYTHONPATH=tools/wheels "$1" -c '
import sys, fetch, pathlib
library = fetch.sources()["libraries"]["nghttp2"]
fetch.unpack(library, pathlib.Path(sys.argv[1])).rename(sys.argv[1] + "/nghttp2")
' "$root/usr/src" || fail "the source of nghttp2 is missing"
inside() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin DEBIAN_FRONTEND=noninteractive \
        sh -ec "$1" >>"$log" 2>&1 || fail "$1: $(tail -n 1 "$log")"
}
inside 'apt-get -q update'
inside 'apt-get -qy install --no-install-recommends g++ make pkgconf nginx libev-dev \
    libssl-dev libngtcp2-dev libngtcp2-crypto-ossl-dev libnghttp3-dev libc-ares-dev \
    zlib1g-dev'
inside 'cd /usr/src/nghttp2; ./configure --enable-http3 --enable-app --disable-shared \
    --without-libxml2 --without-jansson --without-jemalloc; make -C lib;
    make -C third-party; make -C src h2load; cp src/h2load /usr/bin'

# A program starts with the loader and the libraries of its own distribution.
part=$folder.$$
mkdir -p "$part/lib"
for program in /usr/bin/h2load /usr/sbin/nginx; do
    name=${program##*/}
    cp "$root$program" "$part/lib/$name"
    inside "ldd $program | grep -o '/[^ ]*' >/tmp/$name"
    while read -r library; do cp -L "$root$library" "$part/lib/"; done <"$root/tmp/$name"
    cat >"$part/$name" <<'END'
#!/bin/sh
lib=${0%/*}/lib
exec "$lib"/ld-linux-*.so.* --library-path "$lib" "$lib/${0##*/}" "$@"
END
    chmod +x "$part/$name"
done
mv "$part" "$folder"
"$folder/h2load" --version
rm -f "$log"
