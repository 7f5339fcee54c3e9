#!/usr/bin/env python3
"""Checks that the name of a static function is unique in src/.

A name that only one file defines is found by one search, and a profile or a backtrace
says which function it means.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

DEFINITION = re.compile(r"^static\s[^;={()]*?\n([a-z_]\w*)\(", re.M)


def main() -> None:
    """Print the names that several files define; exit with 1 if there are any."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(Path("src").rglob("*.[ch]")):
        for name in DEFINITION.findall(path.read_text(encoding="utf-8")):
            places[name].add(str(path))
    found = {x: sorted(y) for x, y in sorted(places.items()) if len(y) > 1}
    for name, paths in found.items():
        print(f"{name}: {', '.join(paths)}")
    sys.exit(1 if found else 0)


main()
