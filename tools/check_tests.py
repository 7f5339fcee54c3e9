#!/usr/bin/env python3
"""Checks that each C file has a test that names it.

A C test names the file that it includes (``#include "http1/parse.c"``).  A Python test
names it by its path (``src/asgi/scope.c``).  EXCEPTIONS lists the others with reasons.
"""

import re
import subprocess
import sys
from pathlib import Path

EXCEPTIONS: dict[str, str] = {
    "static/system_portable.c": "only other systems have it; it calls system.c",
}


def main() -> None:
    """Print the files without a test; exit with 1 if there are any."""
    names = subprocess.check_output(["git", "ls-files", "src", "tests"], text=True)
    paths = [x for x in map(Path, names.split()) if x.is_file()]
    sources = {str(x.relative_to("src")) for x in paths if x.match("src/**/*.c")}
    named: set[str] = set()
    for path in paths:
        if path.parts[0] == "tests" and path.suffix in (".c", ".py", ".h"):
            text = path.read_text()
            named |= set(re.findall(r'^#include "([\w/]+\.c)"', text, re.M))
            named |= set(re.findall(r"\bsrc/([\w/]+\.c)\b", text))
    problems = [f"src/{x}: no test names it" for x in sources - named - {*EXCEPTIONS}]
    problems += [f"{x}: no exception is needed" for x in {*EXCEPTIONS} & named]
    problems += [f"{x}: there is no such file" for x in {*EXCEPTIONS} - sources]
    print("\n".join(sorted(problems)), end="\n" if problems else "")
    sys.exit(1 if problems else 0)


main()
