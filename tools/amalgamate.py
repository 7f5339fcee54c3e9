#!/usr/bin/env python3
"""Write the single header that extensions include, from the files of src/awaitable.

usage: amalgamate.py SOURCE_DIR OUTPUT

The header is pyawaitable.h with the implementation after its declarations. Names that
are not part of the API get a prefix, so that they cannot clash with names in the source
that includes the header. Symbols with external linkage are weak, so that the linker
keeps one copy however many sources of an extension include the header.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SOURCES = ("object.h", "state.c", "object.c", "queue.c", "run.c", "values.c", "with.c")
KEPT = re.compile(r"_?Py|pyawaitable_|PYAWAITABLE_")
GUARD = "PYAWAITABLE_NO_IMPLEMENTATION"

# Matches what declares a name of the implementation, as the house style writes it.
DECLARATIONS = (
    r"^(\w+)\(",  # a function's definition
    r"^#\s*define (\w+)",
    r"^static (?:[\w ]+[ *])?(\w+)(?:\[\])? =",
    r"^static (?:[\w ]+[ *])?(\w+);",
    r"^\} (\w+);",
    r"^    ((?:ENTRIES|VALUES|FREE|PHASE)_\w+) ?[=,]",
)
TAGS = r"^(?:typedef )?(?:struct|enum) (\w+) \{"


def prefixed(name: str) -> str:
    """Return the name of a private ``name`` in the header."""
    return ("PYAWAITABLE_" if name.isupper() else "pyawaitable_") + name


def rename(text: str) -> str:
    """Give every private name of ``text`` its prefix."""
    names = {n for how in DECLARATIONS for n in re.findall(how, text, re.M)}
    names |= set(re.findall(r"\bWITH_[A-Z]+\b", text))
    for name in sorted(n for n in names if not KEPT.match(n)):
        text = re.sub(rf"(?<![\w.>\"]){name}\b", prefixed(name), text)
    for tag in sorted(t for t in re.findall(TAGS, text, re.M) if not KEPT.match(t)):
        text = re.sub(rf"\b(struct|enum) {tag}\b", rf"\1 {prefixed(tag)}", text)
    return text


def body(path: Path) -> str:
    """Return a file without its guards and its includes of our own headers."""
    text = path.read_text()
    text = re.sub(r'^#include "[^"]*"\n', "", text, flags=re.M)
    text = re.sub(r"^/\* SPDX.*\n", "", text, flags=re.M)
    if path.suffix == ".h":
        text = re.sub(r"^#ifndef \w+_H\n#define \w+_H\n", "", text, flags=re.M)
        text = text.rstrip().removesuffix("#endif").rstrip() + "\n"
    return text


def amalgamate(folder: Path) -> str:
    """Return the header."""
    declarations = (folder / "pyawaitable.h").read_text().rstrip()
    assert declarations.endswith("#endif")
    implementation = rename("\n".join(body(folder / name) for name in SOURCES))
    includes = re.findall(r"^#include <.*>\n", implementation, re.M)
    once = "".join(dict.fromkeys(x for x in includes if "structmember" not in x))
    for line in set(includes):
        if "structmember" not in line:
            implementation = implementation.replace(line, "")
    return (
        declarations.removesuffix("#endif").replace(
            'visibility("hidden")', 'visibility("hidden"), weak'
        )
        + f"#ifndef {GUARD}\n{once}"
        + '#ifdef __cplusplus\nextern "C" {\n#endif\n'
        + re.sub(r"\n{3,}", "\n\n", implementation)
        + f"#ifdef __cplusplus\n}}\n#endif\n#endif /* {GUARD} */\n\n#endif\n"
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(amalgamate(Path(sys.argv[1])))
