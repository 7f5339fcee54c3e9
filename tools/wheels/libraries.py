"""The libraries that are linked into the engine, built once for each target.

``library_folder`` returns a folder with include/, lib/*.a and licenses/, kept in the
cache under a name that depends on all of their inputs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import fetch
import targets
from targets import Target

RECIPE = "1"
"""Increased when libraries must be built again from the same sources and flags."""

COMMON = ["-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"]
COMMON += ["-g0", "-fomit-frame-pointer"]
"""zig's clang has frame pointers and debug information if nobody says otherwise."""

OPENSSL = """
    no-shared no-module no-dso no-engine no-afalgeng no-padlockeng no-legacy
    no-apps no-tests no-docs no-ui-console no-filenames no-dtls no-comp no-ssl3
    no-weak-ssl-ciphers no-srp no-cms no-ts no-cmp no-ct no-rfc3779 no-md4 no-mdc2
    no-rc2 no-rc4 no-rc5 no-idea no-seed no-bf no-cast no-camellia no-aria no-whirlpool
    no-rmd160 no-gost no-sm2 no-sm3 no-sm4 no-ocb enable-ktls enable-ec_nistp_64_gcc_128
    --openssldir=/etc/ssl --prefix=/usr --libdir=lib
""".split()
"""What a TLS server needs, with the folder of openssl.cnf on most systems."""

ZLIB = """adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr
    zutil""".split()

HEADERS = """
    -DHAVE_ARPA_INET_H=1 -DHAVE_BYTESWAP_H=1 -DHAVE_DECL_BE64TOH=1
    -DHAVE_DECL_BSWAP_64=1 -DHAVE_ENDIAN_H=1 -DHAVE_NETINET_IN_H=1 -DHAVE_UNISTD_H=1
""".split()
"""What the configuration of nghttp3 and ngtcp2 finds on each target."""

FLAGS: dict[str, list[str]] = {
    "openssl": OPENSSL,
    "nghttp2": ["-flto"],
    "zlib": ZLIB,
    "brotli": [],
    "libzstd": ["-DXXH_NAMESPACE=ZSTD_", "-DZSTD_DISABLE_ASM=1"],
    "nghttp3": ["-flto", *HEADERS],
    "ngtcp2": ["-flto", *HEADERS],
}
"""What a built library depends on besides its source and COMMON.

Link-time optimization is for those that call the engine and are called by it for each
frame. The loops of the others do not cross files: with it, each link would
compile them again, which takes longer than all the rest, and no request would be
faster.
"""


def jobs() -> int:
    """Return how many compilers run at once."""
    return len(os.sched_getaffinity(0))


def _key(target: Target, libraries: dict[str, dict]) -> str:
    parts = [RECIPE, target.zig, targets.zig_version(), repr(COMMON)]
    for name, library in libraries.items():
        parts += [repr(FLAGS[name]), repr(sorted(library["files"].items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def library_folder(target: Target) -> Path:
    """Return the folder of the libraries for a target; build them if they are
    missing.
    """
    libraries = fetch.sources()["libraries"]
    key = _key(target, libraries)
    return _kept(f"{target.name}-{key}", partial(_collect, target))


def _kept(name: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, which ``fill`` fills if it is not there."""
    folder = fetch.cache() / "libraries" / name
    if folder.exists():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}")
    part.mkdir(parents=True)
    fill(part)
    try:
        part.rename(folder)
    except OSError:  # another process has finished first
        shutil.rmtree(part)
    return folder


def _collect(target: Target, into: Path) -> None:
    """Put all libraries into one folder; each is kept for others to use too."""
    for name, library in fetch.sources()["libraries"].items():
        key = _key(target, {name: library})
        build = partial(_build, target, name)
        built = _kept(f"{target.name}-{name}-{key}", build)
        shutil.copytree(built, into, dirs_exist_ok=True)


def _build(target: Target, name: str, into: Path) -> None:
    library = fetch.sources()["libraries"][name]
    print(f"wheels: {library['name']} {library['version']} for {target.name}")
    with tempfile.TemporaryDirectory(prefix="bolide-") as scratch:
        source = fetch.unpack(library, Path(scratch) / name)
        BUILDERS[name](target, source, into)
        texts = into / "licenses" / name
        for text in library["texts"]:
            (texts / text).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / text, texts / text)


def _run(command: list[str], cwd: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        text = done.stdout.decode(errors="replace")[-4000:]
        raise fetch.Refused(f"{' '.join(command[:3])} failed:\n{text}")


def _openssl(target: Target, source: Path, into: Path) -> None:
    if shutil.which("perl") is None or shutil.which("make") is None:
        raise fetch.Refused("perl and make are missing: OpenSSL is built with them")
    tools = targets.tools(target)
    environ = targets.environment()
    # OpenSSL_version() contains the compiler's name: use one without a path.
    environ["PATH"] = f"{tools}:{environ['PATH']}"
    environ |= {"CC": "cc", "AR": "ar", "RANLIB": "ranlib", "SOURCE_DATE_EPOCH": "0"}
    flags = [flag for flag in COMMON if flag != "-fPIC"]
    configure = ["perl", "./Configure", target.openssl, *OPENSSL, *flags]
    _run(configure, source, environ)
    _run(["make", "-s", f"-j{jobs()}", "build_libs"], source, environ)
    for name in ("libssl.a", "libcrypto.a"):
        _keep(source / name, into / "lib")
    for header in (source / "include/openssl").glob("*.h"):
        _keep(header, into / "include/openssl")


def _nghttp2(target: Target, source: Path, into: Path) -> None:
    library = source / "lib"
    version = fetch.sources()["libraries"]["nghttp2"]["version"]
    header = library / "includes/nghttp2/nghttp2ver.h"
    if not header.exists():
        text = header.with_suffix(".h.in").read_text()
        major, minor, patch = map(int, version.split("."))
        number = f"0x{major:02x}{minor:02x}{patch:02x}"
        text = text.replace("@PACKAGE_VERSION@", version)
        header.write_text(text.replace("@PACKAGE_VERSION_NUM@", number))
    defines = [
        *("-DNGHTTP2_STATICLIB", "-DHAVE_ARPA_INET_H=1", "-DHAVE_NETINET_IN_H=1"),
        *("-DHAVE_CLOCK_GETTIME=1", "-DHAVE_DECL_CLOCK_MONOTONIC=1"),
        *("-DHAVE_TIME_H=1", "-DSIZEOF_INT_P=8"),
    ]
    _compile(
        target,
        sorted(library.glob("*.c")),
        [*FLAGS["nghttp2"], *defines, f"-I{library}/includes", "-std=gnu11"],
        into / "lib/libnghttp2.a",
    )
    for found in (library / "includes/nghttp2").glob("*.h"):
        _keep(found, into / "include/nghttp2")


def _zlib(target: Target, source: Path, into: Path) -> None:
    files = [source / f"{name}.c" for name in ZLIB]
    defines = ["-DHAVE_UNISTD_H=1", "-DHAVE_STDARG_H=1", "-D_LARGEFILE64_SOURCE=1"]
    _compile(target, files, [*defines, f"-I{source}"], into / "lib/libz.a")
    for name in ("zlib.h", "zconf.h"):
        _keep(source / name, into / "include")


def _brotli(target: Target, source: Path, into: Path) -> None:
    """Build the encoder, and the decoder for tests."""
    include = source / "c/include"
    for part, name in (("common", "common"), ("enc", "enc"), ("dec", "dec")):
        files = sorted((source / "c" / part).glob("*.c"))
        archive = into / f"lib/libbrotli{name}.a"
        _compile(target, files, [f"-I{include}"], archive)
    for header in (include / "brotli").glob("*.h"):
        _keep(header, into / "include/brotli")


def _zstd(target: Target, source: Path, into: Path) -> None:
    """Build the encoder, and the decoder for tests."""
    library = source / "lib"
    files = [
        file
        for part in ("common", "compress", "decompress")
        for file in sorted((library / part).glob("*.c"))
    ]
    _compile(target, files, FLAGS["libzstd"], into / "lib/libzstd.a")
    for name in ("zstd.h", "zstd_errors.h"):
        _keep(library / name, into / "include")


def _nghttp3(target: Target, source: Path, into: Path) -> None:
    library = source / "lib"
    files = [*library.glob("*.c"), library / "sfparse/sfparse.c"]
    flags = ["-DNGHTTP3_STATICLIB", f"-I{library}/includes", f"-I{library}"]
    flags += FLAGS["nghttp3"]
    _compile(target, sorted(files), flags, into / "lib/libnghttp3.a")
    for header in (library / "includes/nghttp3").glob("*.h"):
        _keep(header, into / "include/nghttp3")


def _ngtcp2(target: Target, source: Path, into: Path) -> None:
    """Build the core; the engine has the part for OpenSSL."""
    library = source / "lib"
    flags = ["-DNGTCP2_STATICLIB", f"-I{library}/includes", f"-I{library}"]
    flags += FLAGS["ngtcp2"]
    files = sorted(library.glob("*.c"))
    _compile(target, files, flags, into / "lib/libngtcp2.a")
    for header in (library / "includes/ngtcp2").glob("*.h"):
        _keep(header, into / "include/ngtcp2")


def _compile(target: Target, files: list[Path], flags: list[str], into: Path) -> None:
    """Compile some files and write them to an archive."""
    tools = targets.tools(target)
    environ = targets.environment()
    folder = Path(os.path.commonpath([file.parent for file in files]))
    into.parent.mkdir(parents=True, exist_ok=True)
    common = [*COMMON, "-O3", "-w", "-DNDEBUG"]

    def compile_one(file: Path) -> str:
        command = [f"{tools}/cc", "-c", *common, *flags, str(file.relative_to(folder))]
        _run([*command, "-o", file.stem + ".o"], folder, environ)
        return file.stem + ".o"

    with ThreadPoolExecutor(jobs()) as pool:
        objects = list(pool.map(compile_one, files))
    _run([f"{tools}/ar", "rcsD", str(into), *sorted(objects)], folder, environ)


def _keep(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, folder)


BUILDERS = {
    "openssl": _openssl,
    "nghttp2": _nghttp2,
    "zlib": _zlib,
    "brotli": _brotli,
    "libzstd": _zstd,
    "nghttp3": _nghttp3,
    "ngtcp2": _ngtcp2,
}
