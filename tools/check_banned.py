#!/usr/bin/env python3
"""Checks that banned functions are not called, and that no mutable state has file
scope.

An exception has a comment that begins with RULE ZERO and has the reason.
"""

import re
import sys
from pathlib import Path

BANNED = {
    "strcpy": "the size is not checked",
    "strcat": "the size is not checked",
    "sprintf": "use snprintf",
    "vsprintf": "use vsnprintf",
    "gets": "the size is not checked",
    "strtok": "it keeps state",
    "atoi": "it hides errors",
    "alloca": "the stack has no limit check",
    "rand": "use getrandom",
    "sleep": "the engine never waits",
    "usleep": "the engine never waits",
    "gmtime": "use gmtime_r",
    "localtime": "use localtime_r",
    "inet_ntoa": "use inet_ntop",
    "strerror": "it keeps state",
}
ALLOCATORS = {"malloc", "calloc", "realloc", "free", "strdup"}
CALL = re.compile(r"(?<![\w.>])([a-z_]\w*)\s*\(")
TIME = re.compile(r"\bclock(?:\.|->)(?:ms|ns)\b")
"""Reading the members of the clock directly skips the check that they are current."""
STATIC = re.compile(
    r"^static\s+(?!const\b|inline\b|_Thread_local\b)([^;(={]*?[;=])", re.M
)
CONSTANT = re.compile(r"\bconst\b[^*]*$|\*\s*const\b")
COMMENT_OR_TEXT = re.compile(r"""/\*.*?\*/|"(?:\\.|[^"\\\n])*\"""", re.S)

PYTHON_TABLES = re.compile(
    r"\bPy(MethodDef|MemberDef|GetSetDef|Type_Slot|Type_Spec|ModuleDef|ModuleDef_Slot)\b"
)
"""CPython takes these by a pointer to non-const; they are never changed."""


def problems_of(path: Path) -> list[str]:
    """Return one line for each violation in ``path``."""
    raw = path.read_text()
    text = COMMENT_OR_TEXT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), raw)
    found = []
    for match in CALL.finditer(text):
        name = match.group(1)
        line = text.count("\n", 0, match.start()) + 1
        if name in BANNED:
            found.append(f"{path}:{line}: {name}(): {BANNED[name]}")
        if name in ALLOCATORS and path.parts[1:] != ("base", "mem.c"):
            found.append(f"{path}:{line}: {name}(): use base/mem.h")
    for match in TIME.finditer(text):
        if path.parts[1:-1] != ("base",) or path.stem != "clock":
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: {match.group()}: use clock_ms or clock_due")
    for match in STATIC.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        before = "\n".join(raw.split("\n")[max(0, line - 8) : line])
        if CONSTANT.search(match.group(1)) or PYTHON_TABLES.search(match.group(1)):
            continue
        if "RULE ZERO" not in before:
            found.append(f"{path}:{line}: mutable state at file scope")
    return found


def main() -> None:
    """Check every C file below src/; exit with 1 if one breaks a rule."""
    found = [x for p in sorted(Path("src").rglob("*.[ch]")) for x in problems_of(p)]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


main()
