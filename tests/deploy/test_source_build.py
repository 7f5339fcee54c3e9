"""A build from source names the missing packages, for each system."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
INSTALL = (TOP / "docs/INSTALL.md").read_text()

# Hides a header as if its package was not installed.
COMPILER = """#!/bin/sh
for word in "$@"; do
    case $word in *.c) grep -q "include.*$HIDDEN" "$word" && exit 1 ;; esac
done
exec cc "$@"
"""

MISSING = [
    ("Python.h", "python3-dev", "python3-devel", "python3-dev", "python"),
    ("openssl/", "libssl-dev", "openssl-devel", "openssl-dev", "openssl"),
    ("nghttp2/", "libnghttp2-dev", "libnghttp2-devel", "nghttp2-dev", "libnghttp2"),
    ("zlib.h", "zlib1g-dev", "zlib-devel", "zlib-dev", "zlib"),
]
SYSTEMS = ("apt-get install", "dnf install", "apk add", "brew install")


def configure(folder, **environ):
    """Return the output of meson, which must fail."""
    if shutil.which("meson") is None:
        pytest.skip("no meson")
    meson = [sys.executable, "-m", "mesonbuild.mesonmain"]
    done = subprocess.run(
        [*meson, "setup", str(folder / "build"), str(TOP)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0, done.stdout
    return done.stdout


def named(printed):
    """Return the package that a message names for each system."""
    (line,) = (x for x in printed.splitlines() if "ERROR" in x)
    return tuple(
        re.search(rf"{system} ([^(]+) \(", line)[1] for system in SYSTEMS
    )  # fmt: skip


@pytest.mark.parametrize("row", MISSING, ids=lambda row: row[0].rstrip("/"))
def test_a_missing_header_is_named_with_its_packages(tmp_path, row):
    header, *packages = row
    compiler = tmp_path / "cc"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    printed = configure(
        tmp_path,
        CC=str(compiler),
        HIDDEN=header,
        CCACHE_DISABLE="1",
        PKG_CONFIG_LIBDIR=str(tmp_path),
        CMAKE=str(tmp_path / "no-cmake"),
    )
    assert named(printed) == tuple(packages)
    assert "no wheel fits" in printed


def test_a_missing_compiler_is_named_with_its_packages(tmp_path):
    printed = configure(tmp_path, CC=str(tmp_path / "no-compiler"))
    assert named(printed)[:3] == ("gcc libc6-dev", "gcc", "gcc musl-dev")
    assert "xcode-select" in named(printed)[3]


@pytest.mark.parametrize("number", range(len(SYSTEMS)), ids=SYSTEMS)
def test_the_document_names_the_same_packages(number):
    (command,) = re.findall(rf"`{SYSTEMS[number]} ([^`]+)`", INSTALL)
    for row in MISSING:
        if (number, row[0]) != (
            3,
            "Python.h",
        ):  # pip's package includes it
            assert row[1 + number] in command.split()
