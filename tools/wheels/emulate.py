"""Runs the C tests and the wire cases built for 64-bit ARM, under qemu-user.

usage: emulate.py ROOT [--libc gnu|musl] [--python X.Y] [--program PATH] [--wire WORD]

ROOT has a system for that processor, with that Python, which is PATH in ROOT:
debootstrap --arch=arm64 --foreign creates one, also without its second stage. The files
are those of the wheels, built with the same compiler, with asserts and without LTO.
--wire: only cases whose names contain that word.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import fetch
import pack
from targets import TARGETS

import build

NOT_EMULATED = {
    "test_load": "openat2",
    "test_os_linux": "PR_SET_CHILD_SUBREAPER",
    "test_quic_steering": "SO_ATTACH_REUSEPORT_CBPF",
}
"""C tests that are not run, with what they need that qemu-user 7.2 does not have."""


def _call(*words: str, **environ: str) -> int:
    print("emulate:", *words, flush=True)
    return subprocess.run(words, cwd=pack.TOP, env={**os.environ, **environ}).returncode


def _with_hpack(folder: Path) -> Path:
    """Return a folder with the package hpack, which the cases of HTTP/2 need."""
    spec = importlib.util.find_spec("hpack")
    if spec is None or spec.origin is None:
        raise fetch.Refused("the Python package hpack is missing")
    link = folder / "packages/hpack"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(Path(spec.origin).parent)
    return link.parent


def main() -> int:
    """Build and run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--libc", default="gnu", choices=["gnu", "musl"])
    parser.add_argument("--python", default="3.13")
    parser.add_argument("--program")
    parser.add_argument("--wire", action="append", default=[])
    given = parser.parse_args()
    target = TARGETS[f"aarch64-{given.libc}"]
    root = str(given.root.resolve())
    program = Path(root, given.program or f"usr/bin/python{given.python}")
    folder = pack.TOP / f"build/emulate/{target.name}-{given.python}"
    options = ["-Dunit_tests=true", "-Db_lto=false", "--buildtype=debugoptimized"]
    options += ["-Dc_args=-UNDEBUG"]  # zig defines it whenever it optimizes
    meson = [sys.executable, "-m", "mesonbuild.mesonmain"]
    try:
        if not (folder / "build.ninja").exists():
            build.configure(folder, given.python, target, *options)
        build.run([*meson, "compile", "-C", str(folder)])
        build.run([*meson, "install", "-C", str(folder), "--quiet"])
        packages = _with_hpack(folder)
    except fetch.Refused as error:
        print(f"emulate: {error}", file=sys.stderr)
        return 1
    qemu = ["qemu-aarch64", "-L", root]
    code = _call(
        *(sys.executable, "tools/run_c_tests.py", str(folder)),
        RUNNER=" ".join(qemu),
        EXCEPT=" ".join(NOT_EMULATED),
    )
    python = [*qemu, str(program)]
    for runner in ("run.py", "run_h2.py"):
        code |= _call(
            *(*python, f"tests/wire/{runner}", *given.wire),
            PYTHONHOME=str(program.parents[1]),
            PYTHONPATH=f"{folder / 'stage'}:{packages}",
            PYTHONDONTWRITEBYTECODE="1",
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
