"""Compiles and links the engine for a system on which it cannot be run here.

usage: compile_for.py [TARGET]...

TARGET is an argument of ``zig cc -target``; default: aarch64-macos, x86_64-macos and
x86_64-freebsd. The headers of the libraries are those of the wheels for x86_64, and
Python's are those of the oldest pinned version. Symbols of Python and the libraries
stay undefined in the extension: the program that loads it defines them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fetch
import libraries
import pack
import targets

SYSTEMS = ("aarch64-macos", "x86_64-macos", "x86_64-freebsd")
LINUX = {
    "net/os_linux.c",
    "net/poller_epoll.c",
    "net/waited.c",
    "static/system_linux.c",
}
"""Files that systems without epoll do not compile."""

DEFINES = (
    *("_GNU_SOURCE", "NDEBUG", "HAVE_KQUEUE", "HAVE_NGHTTP2_RESET_LIMIT"),
    *("HAVE_BROTLI", "HAVE_ZSTD"),
)
ABOUT = ("VERSION", "COMPILER", "OPTIMIZATION")


def sources() -> list[Path]:
    """Return the source files of the extension, as listed in src/meson.build."""
    text = (pack.TOP / "src/meson.build").read_text()
    names = dict.fromkeys(re.findall(r"'([\w/]+\.c)'", text))
    return [pack.TOP / "src" / name for name in names if name not in LINUX]


def headers() -> Path:
    """Return a folder with the headers of the libraries, of any 64-bit system."""
    return libraries.library_folder(targets.TARGETS["x86_64-gnu"]) / "include"


def compile_for(system: str, folder: Path) -> Path:
    """Compile and link for a system; return the extension, or raise Refused."""
    (folder / "about_build.h").write_text(
        "".join(f'#define BOLIDE_{name} ""\n' for name in ABOUT)
    )
    python = fetch.python_headers(sorted(fetch.sources()["pythons"])[0])
    compiler = [str(targets.zig()), "cc", "-target", system]
    flags = ["-c", "-O2", "-std=gnu11", "-fPIC", "-fvisibility=hidden", "-Wall"]
    flags += ["-Werror=implicit-function-declaration", *(f"-D{x}" for x in DEFINES)]
    flags += [f"-I{pack.TOP}/src", f"-I{folder}", "-isystem", str(headers())]
    flags += ["-isystem", str(python)]

    def run(words: list[str]) -> None:
        done = subprocess.run(
            words, capture_output=True, text=True, env=targets.environment()
        )
        if done.returncode != 0:
            raise fetch.Refused(f"{system}: {done.stderr[:4000]}")

    def compile_one(file: Path) -> str:
        name = str(file.relative_to(pack.TOP / "src")).replace("/", "_")
        out = str(folder / f"{name}.o")
        run([*compiler, *flags, str(file), "-o", out])
        return out

    with ThreadPoolExecutor(libraries.jobs()) as pool:
        objects = list(pool.map(compile_one, sources()))
    extension = folder / "_engine.so"
    undefined = ["-Wl,-undefined,dynamic_lookup"] if "macos" in system else []
    run([*compiler, "-shared", *undefined, *objects, "-o", str(extension)])
    return extension


def main() -> int:
    """Compile for all named systems; return the exit code."""
    for system in sys.argv[1:] or SYSTEMS:
        with tempfile.TemporaryDirectory(prefix="bolide-") as folder:
            try:
                extension = compile_for(system, Path(folder))
            except fetch.Refused as error:
                print(f"compile: {error}", file=sys.stderr)
                return 1
            size = extension.stat().st_size / (1 << 20)
            found = extension.read_bytes()[:4].hex()
            print(f"compile: {system}: {size:.1f} MiB, begins with {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
