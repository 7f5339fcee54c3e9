"""Pinned files from the mirrors of Debian and Ubuntu, kept in a cache, by SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import tarfile
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "sources.toml"


class Refused(Exception):
    """Something that cannot be built; the message is for the user."""


def sources() -> dict[str, dict[str, dict]]:
    """Return the content of sources.toml."""
    return tomllib.loads(SOURCES.read_text())


def cache() -> Path:
    """Return the folder that caches downloads and built libraries."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("BOLIDE_CACHE") or Path(base) / "bolide-wheels")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mirrors(distribution: str) -> list[str]:
    """Return the addresses to try: those in the environment, then the default ones."""
    own = os.environ.get(f"{distribution.upper()}_MIRROR")
    if own:
        return [own.rstrip("/")]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    texts = []
    with contextlib.suppress(FileNotFoundError):
        texts.append(subprocess.run(command, capture_output=True, text=True).stdout)
    scripts = Path("/usr/share/debootstrap/scripts").glob("*")
    for script in [Path("/usr/sbin/debootstrap"), *sorted(scripts)]:
        if script.is_file():
            texts.append(script.read_text())
    address = re.compile(rf"https?://(?!old-)[^\s\"'/]+/{distribution}(?=[\s\"'/]|$)")
    found = [x for text in texts for x in address.findall(text)]
    return list(dict.fromkeys(found))


def fetch(path: str, sha256: str) -> Path:
    """Return the file at ``path`` of its mirror; raise Refused if it is missing or
    differs.
    """
    kept = cache() / "downloads" / sha256[:16] / path.rpartition("/")[2]
    if not kept.exists() or _digest(kept) != sha256:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f"{kept.name}.{os.getpid()}")
        part.write_bytes(_download(path))
        if _digest(part) != sha256:
            part.unlink()
            raise Refused(f"{path} is not what sources.toml promises: SHA-256 differs")
        part.rename(kept)
    return kept


def _download(path: str) -> bytes:
    distribution, _, below = path.partition("/")
    tried = mirrors(distribution)
    if not tried:
        name = f"{distribution.upper()}_MIRROR"
        raise Refused(f"no mirror of {distribution} is known: set {name}")
    why = ""
    for mirror in tried:
        try:
            with urllib.request.urlopen(f"{mirror}/{below}", timeout=120) as answer:
                return answer.read()
        except (OSError, urllib.error.URLError) as error:
            why = why or str(error)
    raise Refused(
        f"{path} cannot be downloaded ({why}): where a newer version has replaced it, "
        "tools/wheels/pin.py writes that one into sources.toml"
    )


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(library: dict, into: Path) -> Path:
    """Unpack a library's source below ``into``, with patches; return its folder."""
    found = [fetch(path, digest) for path, digest in library["files"].items()]
    for archive in found:
        if ".debian.tar" not in archive.name:
            _extract(archive, into / "source")
    (top,) = (into / "source").iterdir()
    for archive in found:
        if ".debian.tar" in archive.name:
            _extract(archive, into)
            _patch(into / "debian/patches", top)
    return top


def _extract(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="fully_trusted")


def _patch(patches: Path, top: Path) -> None:
    series = patches / "series"
    if not series.exists():
        return
    for line in series.read_text().splitlines():
        name = line.partition("#")[0].split()
        if name:
            command = ["patch", "-s", "-p1", "-i", str(patches.absolute() / name[0])]
            subprocess.run(command, cwd=top, check=True)


def python_headers(version: str) -> Path:
    """Return a folder with Python.h and the headers it includes."""
    package = sources()["pythons"].get(version)
    if package is None:
        raise Refused(f"sources.toml has no CPython {version}")
    kept = cache() / "headers" / f"python{version}-{package['sha256'][:16]}"
    if kept.exists():
        return kept
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    part.mkdir(parents=True)
    deb = fetch(package["path"], package["sha256"])
    subprocess.run(["dpkg-deb", "-x", str(deb), str(part)], check=True)
    include = part / "usr/include"
    config = include / f"x86_64-linux-gnu/python{version}/pyconfig.h"
    config.replace(include / f"python{version}/pyconfig.h")
    (include / f"python{version}").rename(kept)
    subprocess.run(["rm", "-rf", str(part)], check=True)
    return kept
