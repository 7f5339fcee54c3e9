#!/usr/bin/env python3
"""Checks that the C files assert their contracts: the number of asserts per 1,000
lines.

usage: check_asserts.py [--table]

Each folder of src/ has a minimum in FLOORS, and src/ as a whole has WHOLE. A folder
that is not in FLOORS needs WHOLE too. Only code in .c files counts, not comments.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

WHOLE = 8.0
"""Asserts for each 1,000 lines of src/."""

FLOORS = {
    "asgi": 18.0,
    "base": 16.0,
    "builtin": 9.0,
    "http": 9.0,
    "http1": 9.0,
    "http2": 9.0,
    "log": 8.0,
    "py": 12.0,
    "server": 20.0,
    "tls": 11.0,
    "ws": 10.0,
}
"""... of a folder: about what it has now, so that new code keeps the density."""

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
ASSERT = re.compile(r"\bassert\(")


def main() -> None:
    """Print the folders below their minimum, or all with --table; exit with 1 if
    any is.
    """
    names = subprocess.check_output(["git", "ls-files", "src"], text=True).split()
    lines: Counter[str] = Counter()
    asserts: Counter[str] = Counter()
    for path in map(Path, names):
        if path.suffix != ".c" or not path.is_file():
            continue
        text = path.read_text()
        found = len(ASSERT.findall(COMMENT.sub("", text)))
        for key in (path.parts[1], "src"):
            lines[key] += text.count("\n")
            asserts[key] += found
    failed = False
    for key in sorted(lines):
        rate, floor = 1000 * asserts[key] / lines[key], FLOORS.get(key, WHOLE)
        row = f"{key}: {asserts[key]} asserts in {lines[key]} lines: {rate:.1f}"
        failed = failed or rate < floor
        if rate < floor or "--table" in sys.argv[1:]:
            print(f"{row}, the floor is {floor}")
    sys.exit(1 if failed else 0)


main()
