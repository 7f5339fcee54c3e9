"""The machines for which wheels are built, and zig as the compiler for each."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import fetch


class Target(NamedTuple):
    """One kind of machine with one C library."""

    name: str
    zig: str
    """The argument of ``zig cc -target``, including the C library's oldest version."""
    tag: str
    """The platform tag of its wheels."""
    openssl: str
    """Its name in OpenSSL's Configure."""

    @property
    def machine(self) -> str:
        """Return the processor, as uname prints it."""
        return self.zig.partition("-")[0]

    @property
    def libc(self) -> str:
        """Return "gnu" or "musl"."""
        return "musl" if "musl" in self.zig else "gnu"


GLIBC = "2.28"
TARGETS = {
    f"{machine}-{libc}": Target(
        name=f"{machine}-{libc}",
        zig=f"{machine}-linux-{libc}" + (f".{GLIBC}" if libc == "gnu" else ""),
        tag=(
            f"manylinux_{GLIBC.replace('.', '_')}_{machine}"
            if libc == "gnu"
            else f"musllinux_1_2_{machine}"
        ),
        openssl=f"linux-{machine}",
    )
    for machine in ("x86_64", "aarch64")
    for libc in ("gnu", "musl")
}


def zig() -> Path:
    """Return the program; raise Refused if the package ziglang is not installed."""
    try:
        import ziglang
    except ImportError:
        raise fetch.Refused("the Python package ziglang is missing") from None
    return Path(ziglang.__file__).parent / "zig"


def zig_version() -> str:
    """Return the version of zig that is used."""
    from importlib.metadata import version

    return version("ziglang")


def tools(target: Target) -> Path:
    """Return a folder with ``cc``, ``ar`` and ``ranlib`` for a target.

    Its path does not depend on the path of this checkout, so that ccache and the output
    of compilers do not depend on it either.
    """
    program = zig()
    text = f"{program} {target.zig}"
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = fetch.cache() / "tools" / f"{target.name}-{zig_version()}-{key}"
    if folder.exists():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}")
    part.mkdir(parents=True)
    ccache = f"{shutil.which('ccache')} " if shutil.which("ccache") else ""
    own = part / "zig-cc"
    _script(own, f'exec {program} cc -target {target.zig} "$@"')
    _script(part / "cc", f'exec {ccache}{folder}/zig-cc "$@"')
    for name in ("ar", "ranlib"):
        _script(part / name, f'exec {program} {name} "$@"')
    part.rename(folder)
    return folder


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def environment() -> dict[str, str]:
    """Return the environment for compilers, without the caller's flags."""
    left_out = ("CFLAGS", "CPPFLAGS", "LDFLAGS", "CC", "AR", "CPATH", "LIBRARY_PATH")
    environ = {k: v for k, v in os.environ.items() if k not in left_out}
    environ["ZIG_GLOBAL_CACHE_DIR"] = str(fetch.cache() / "zig")
    environ["ZIG_LOCAL_CACHE_DIR"] = str(fetch.cache() / "zig")
    environ["CCACHE_BASEDIR"] = "/"
    environ["CCACHE_NOHASHDIR"] = "1"
    return environ
