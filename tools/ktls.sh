#!/bin/sh
# Runs tests in a virtual machine whose kernel, Debian's for amd64, has TLS (kTLS): the kernel
# here may have none.  It uses the files of this machine, and its changes are discarded.
#   tools/ktls.sh DIR PYTHON [PYTEST_ARGUMENT ...]
# PYTHONPATH is passed on. DIR caches the kernel.  The processor is emulated, so that tests
# take many times as long: their deadlines are multiplied by PATIENCE.
# KTLS_ACCEL=kvm uses the real one.
set -eu

dir=$1
python=$2
shift 2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
export PATH="$PATH:/usr/sbin:/sbin"

# Modules for access to the files, and those with which kTLS encrypts.
modules="virtio_pci 9pnet_virtio 9p overlay tls gcm ghash-generic ctr aesni-intel
    chacha20poly1305 chacha-generic poly1305-generic"

fetch() {
    [ ! -e "$dir/$1.unpacked" ] || return 0
    echo "fetching: $1"
    (cd "$dir" && apt-get -qq download "$1")
    dpkg-deb -x "$dir/$1"_*.deb "$dir/files"
    rm "$dir/$1"_*.deb
    touch "$dir/$1.unpacked"
}

kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p' | head -1)
version=${kernel#linux-image-}
fetch "$kernel"
fetch busybox-static

# The first files: a shell, the modules in the order in which they are loaded, a script.
rm -rf "$dir/first"
mkdir -p "$dir/first/bin" "$dir/first/modules" "$dir/first/proc" "$dir/first/here" \
    "$dir/first/room" "$dir/first/root"
cp "$(find "$dir/files" -path '*/bin/busybox')" "$dir/first/bin/busybox"
depmod -b "$dir/files" "$version"
for module in $modules; do
    modprobe -d "$dir/files" -S "$version" --show-depends "$module"
done | sed -n 's/^insmod //p' | awk '!seen[$1]++ { print $1 }' >"$dir/order"
count=100
while read -r file; do
    count=$((count + 1))
    cp "$file" "$dir/first/modules/$count.ko"
done <"$dir/order"
cat >"$dir/first/init" <<'END'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
for module in /modules/*; do
    insmod "$module" || echo "$module: not loaded"
done
mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=262144,ro here /here
mount -t tmpfs -o size=90% room /room
mkdir /room/upper /room/work
mount -t overlay -o lowerdir=/here,upperdir=/room/upper,workdir=/room/work root /root
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t devtmpfs dev /root/dev
mkdir -p /root/dev/shm /root/dev/pts
mount -t tmpfs shm /root/dev/shm
mount -t devpts pts /root/dev/pts
ip link set lo up
cp /tests /root/ktls-tests
chroot /root /bin/sh /ktls-tests
echo "ktls: ended with $?"
poweroff -f
END
chmod +x "$dir/first/init"

quote() {
    for word in "$@"; do
        printf "'%s' " "$(printf %s "$word" | sed "s/'/'\\\\''/g")"
    done
}
{
    echo "cd $(quote "$PWD")"
    echo "export PATH=$(quote "$PATH") PYTHONPATH=$(quote "${PYTHONPATH:-}")"
    echo "export HOME=/tmp PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PY_COLORS=0"
    echo "export PATIENCE=${PATIENCE:-6}"
    echo "uname -r"
    echo "$(quote "$python" -m pytest -p no:cacheprovider "$@")"
    echo "code=\$?; cat /proc/net/tls_stat; exit \$code"
} >"$dir/first/tests"
(cd "$dir/first" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/first.gz"

timeout "${KTLS_SECONDS:-3000}" qemu-system-x86_64 -accel "${KTLS_ACCEL:-tcg}" -cpu max \
    -smp "${KTLS_CPUS:-1}" -m 1536 -nodefaults -nographic -no-reboot -serial stdio \
    -kernel "$dir/files/boot/vmlinuz-$version" -initrd "$dir/first.gz" \
    -append "console=ttyS0 quiet loglevel=1 panic=-1" \
    -virtfs local,path=/,mount_tag=here,security_model=none,readonly=on,multidevs=remap \
    </dev/null 2>"$dir/errors" | tee "$dir/log" || cat "$dir/errors"
grep -q "ktls: ended with 0" "$dir/log"
