#!/bin/sh
# Builds the last commit in a root of Debian 13, which has OpenSSL >= 3.5 and CPython 3.13, and
# runs tests there: by default the C tests and those of HTTP/3 and TLS, which work
# differently with that OpenSSL.
#   TESTS="PYTEST_ARGUMENT ..." tools/debian13.sh
# TESTS=all runs `make -k test`. The root is created by debootstrap in BOLIDE_DEBIAN13, by
# default a folder of the cache, and is kept for the next run; remove it to begin again.
# Without root, debootstrap or a mirror (DEBIAN_MIRROR names another one) it prints what is
# missing, and exits with 0.
#
# All that is mounted in the root is mounted in a separate mount namespace, and all programs
# there run in a separate PID namespace, so that nothing of either is left at the end.
set -eu

PATH=$PATH:/usr/sbin:/sbin
HOME=${HOME:-/root}
root=${BOLIDE_DEBIAN13:-${XDG_CACHE_HOME:-$HOME/.cache}/bolide-debian13}
case $root in /*) ;; *) root=$PWD/$root ;; esac
began=$(date +%s)

skip() {
    echo "debian13: skipped, $1"
    exit 0
}

# Runs a command in new namespaces, in the background, so that a signal ends it at once; a
# shell starts background commands with SIGINT ignored.
run_apart() {
    setsid env --default-signal=INT,QUIT unshare --mount-proc --pid --fork --kill-child \
        "$@" </dev/null 9>&- &
    child=$!
    wait "$child"
}

# Prints a bundle of the authorities that pip and apt trust here.
find_bundle() {
    for bundle in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
        /etc/pki/tls/certs/ca-bundle.crt; do
        [ ! -s "$bundle" ] || { echo "$bundle"; return; }
    done
}

# Prints the mirror that apt uses here.
find_mirror() {
    [ ! -f /etc/debian_version ] || apt-get indextargets --format '$(REPO_URI)' \
        2>/dev/null | grep '/debian/*$' | head -n 1
}

create() {
    command -v debootstrap >/dev/null 2>&1 || tools/setup.sh --debian13 python3 ||
        skip "there is no debootstrap (apt-get install debootstrap)"
    mirror=${DEBIAN_MIRROR:-$(find_mirror)}
    echo "debian13: creating $root"
    rm -rf "$root.part"
    run_apart debootstrap --variant=minbase --include=ca-certificates,git,make trixie \
        "$root.part" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
        skip "debootstrap failed: $(tail -n 1 "$root.log")"
    # A root that a crash has damaged is created again, so nothing waits for the disk.
    echo force-unsafe-io >"$root.part/etc/dpkg/dpkg.cfg.d/unsafe-io"
    mv "$root.part" "$root"
}

# Copies what apt and pip need to reach their mirrors from the root.
copy_settings() {
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf "$HOME/.config/pip/pip.conf"; do
        place=$root$file
        [ "$file" != "$HOME/.config/pip/pip.conf" ] || place=$root/root/.config/pip/pip.conf
        [ ! -f "$file" ] || { mkdir -p "${place%/*}" && cp -L "$file" "$place"; }
    done
    bundle=$(find_bundle)
    if [ -n "$bundle" ]; then
        cp -L "$bundle" "$root/etc/authorities.pem"
        echo 'Acquire::https::CAInfo "/etc/authorities.pem";' \
            >"$root/etc/apt/apt.conf.d/00authorities"
    fi
    for file in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
        # Hooks call programs that the root does not have.
        if grep -qs Acquire "$file" && ! grep -qE 'Invoke|Pre-Install' "$file"; then
            cp "$file" "$root/etc/apt/apt.conf.d/"
        fi
    done
    [ ! -d /etc/apt/auth.conf.d ] || cp -a /etc/apt/auth.conf.d "$root/etc/apt/"
}

copy_commit() {
    tree=$root/root/bolide
    [ -d "$tree/.git" ] || git init -q "$tree"
    git -C "$tree" fetch -q "$PWD" HEAD
    git -C "$tree" reset -q --hard FETCH_HEAD
    git -C "$tree" clean -fdq
    echo "debian13: $(git -C "$tree" log --oneline -1)"
}

# Leaves only variables that have a meaning in the root.
clean_environment() {
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $name in
        PIP_CERT | PIP_FIND_LINKS | PIP_CONFIG_FILE | PIP_CACHE_DIR) unset "$name" ;;
        PATIENCE | JOBS | TESTS | PIP_* | *_proxy | *_PROXY) ;;
        *) unset "$name" ;;
        esac
    done
    export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
    [ ! -f "$root/etc/authorities.pem" ] || export PIP_CERT=/etc/authorities.pem
}

# Called in the namespaces.
enter() {
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    clean_environment
    exec chroot "$root" sh -c '
        cd /root/bolide || exit 1
        [ "$TESTS" != all ] || exec env -u TESTS make -k test
        make debug || exit 1
        python3 -c "import ssl; print(ssl.OPENSSL_VERSION)"
        failed=0
        [ -n "$TESTS" ] || make test-c || failed=1
        make test-py "TESTS=${TESTS:-tests/http3 tests/tls}" || failed=1
        exit $failed'
}

if [ "${1:-}" = --enter ]; then
    enter
fi
[ "$(id -u)" = 0 ] || skip "it needs root (sudo make debian13)"
unshare --mount-proc --pid --fork true 2>/dev/null || skip "namespaces are not permitted here"
mkdir -p "${root%/*}"
exec 9>"$root.lock"
flock 9 # a second run waits
child=
trap '[ -z "$child" ] || kill -KILL "$child" 2>/dev/null; exit 130' INT TERM HUP
[ -d "$root" ] || create
grep -q trixie "$root/etc/os-release" || { echo "$root: not a root of Debian 13"; exit 1; }
copy_settings
copy_commit
export TESTS="${TESTS:-}" BOLIDE_DEBIAN13="$root"
code=0
run_apart sh "$0" --enter || code=$?
[ "$code" = 0 ] && verdict=passed || verdict=failed
echo "debian13: $verdict in $(($(date +%s) - began)) s"
exit "$code"
