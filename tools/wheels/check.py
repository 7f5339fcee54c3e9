"""Checks what a wheel promises: its tag, no library but libc needed, nothing
exported.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

SIZE_MAX = 6 << 20
LIBC = re.compile(
    r"lib(c|m|dl|rt|pthread)\.so(\.\d+)?|libc\.musl-\w+\.so\.1|ld-linux-[\w-]+\.so\.\d"
)
UNVERSIONED = ("VER_NDX_LOCAL", "VER_NDX_GLOBAL")
PYTHON = re.compile(r"_?Py")
MUSL_NEWER = {
    *("_Fork", "gettid", "posix_getdents", "preadv2", "pwritev2", "qsort_r"),
    *("reallocarray", "renameat2", "statx"),
}
"""Functions that musl 1.2.0 does not have. Its symbols have no versions."""


def faults(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel, one sentence each."""
    found = []
    if wheel.stat().st_size > SIZE_MAX:
        found.append(f"has {wheel.stat().st_size} bytes, more than {SIZE_MAX}")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        for ending in ("sboms/bolide.cdx.json", "licenses/LICENSE", "py.typed"):
            if not any(name.endswith(ending) for name in names):
                found.append(f"has no {ending}")
        (extension,) = (name for name in names if name.endswith(".so"))
        found += _elf_faults(ELFFile(io.BytesIO(content.read(extension))), wheel.name)
    return found


def audit(wheel: Path, tag: str) -> list[str]:
    """Return what auditwheel has against the platform tag of a wheel."""
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    text = " ".join((done.stdout + done.stderr).split())
    # The wheel is consistent with older systems as well: show names the oldest.
    if re.search(rf'tag: "{re.escape(tag)}"', text):
        return []
    return [f"is not {tag} for auditwheel: {text}"]


def _elf_faults(elf: ELFFile, name: str) -> list[str]:
    found = []
    machine = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}[elf["e_machine"]]
    if f"_{machine}.whl" not in name:
        found.append(f"is for {machine}")
    dynamic = elf.get_section_by_name(".dynamic")
    assert isinstance(dynamic, DynamicSection)
    for tag in dynamic.iter_tags():
        if tag.entry.d_tag == "DT_NEEDED" and not LIBC.fullmatch(tag.needed):
            found.append(f"needs {tag.needed}")
        if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            found.append("has a search path for libraries")
    found += _symbol_faults(elf)
    oldest = re.search(r"manylinux_(\d+)_(\d+)", name)
    versions = _glibc_versions(elf)
    if oldest is not None:
        limit = (int(oldest[1]), int(oldest[2]))
        found += [f"needs glibc {x[0]}.{x[1]}" for x in versions if x > limit]
    elif versions:
        found.append("needs glibc")
    return found


def _symbol_faults(elf: ELFFile) -> list[str]:
    found = []
    symbols = elf.get_section_by_name(".dynsym")
    versions = elf.get_section_by_name(".gnu.version")
    for number, symbol in enumerate(symbols.iter_symbols()):
        if symbol["st_shndx"] != "SHN_UNDEF":
            if symbol.name and symbol.name != "PyInit__engine":
                found.append(f"exports {symbol.name}")
        elif symbol.name and symbol["st_info"]["bind"] == "STB_GLOBAL":
            # Symbols that are not Python's come from the C library; glibc's have
            # versions.
            if versions is None and symbol.name in MUSL_NEWER:
                found.append(f"needs {symbol.name}, which musl 1.2.0 does not have")
            if PYTHON.match(symbol.name) or versions is None:
                continue
            if versions.get_symbol(number)["ndx"] in UNVERSIONED:
                found.append(f"needs {symbol.name}, which no library that it names has")
    return found


def _glibc_versions(elf: ELFFile) -> set[tuple[int, ...]]:
    found = set()
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, names in section.iter_versions():
                for version in names:
                    match = re.fullmatch(r"GLIBC_([\d.]+)", version.name)
                    if match:
                        found.add(tuple(map(int, match[1].split(".")))[:2])
    return found
