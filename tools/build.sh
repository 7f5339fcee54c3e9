#!/bin/sh
# Configures (once, and when the options change), compiles and installs below the build
# folder: DIR/stage can be put on PYTHONPATH.
#   tools/build.sh DIR [meson setup options]
set -eu

dir=$1
shift
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
log=$dir.log
mkdir -p "$(dirname "$dir")"
if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/options" 2>/dev/null)" != "$*" ]; then
    rm -rf "$dir"
    meson setup "$dir" "$@" "-Dpython.purelibdir=$dir/stage" \
        "-Dpython.platlibdir=$dir/stage" >"$log" 2>&1 || { cat "$log"; exit 1; }
    echo "$*" >"$dir/options"
fi
meson compile -C "$dir" >"$log" 2>&1 || { cat "$log"; exit 1; }
rm -rf "$dir/stage" # files that are no longer installed must not be found
meson install -C "$dir" --quiet >"$log" 2>&1 || { cat "$log"; exit 1; }
