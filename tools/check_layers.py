#!/usr/bin/env python3
"""Holds the direction of dependency: an include points to the same layer or down."""

import re
import sys
from pathlib import Path

MAY_INCLUDE = {
    "base": set(),
    "net": {"base"},
    "tls": {"base", "net"},
    "http": {"base", "net"},
    "http1": {"base", "http"},
    "http2": {"base", "http"},
    "ws": {"base", "http"},
    "server": {"base", "net", "tls", "http", "http1", "http2"},
    "awaitable": set(),
    "asgi": {"base", "http", "ws", "awaitable"},
    "py": {"base", "net", "tls", "http", "http1", "ws", "server", "awaitable", "asgi"},
}
"""Which other layers a layer's files may include."""

ASGI_SEES = re.compile(r"http/(stream|peer|head|field|status|target|forwarded)\.h")
"""What the bridge knows of HTTP: the meaning of an exchange, not its protocol."""

PYTHON_LAYERS = {"awaitable", "asgi", "py"}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)


def problems_of(path: Path, layer: str) -> list[str]:
    """Return one line for each include of ``path`` that its layer may not have."""
    found = []
    for name in INCLUDE.findall(path.read_text()):
        target = name.partition("/")[0]
        if name == "Python.h" and layer not in PYTHON_LAYERS:
            found.append(f"{path}: {layer}/ may not include Python.h")
        if "/" not in name or target not in MAY_INCLUDE or target == layer:
            continue
        if target not in MAY_INCLUDE[layer]:
            found.append(f"{path}: {layer}/ may not include {name}")
        elif layer == "asgi" and target == "http" and not ASGI_SEES.fullmatch(name):
            found.append(f"{path}: asgi/ does not know {name}")
    return found


def main() -> None:
    """Check every file below src/; exit with 1 when one points up."""
    found = []
    for path in sorted(Path("src").rglob("*.[ch]")):
        layer = path.parts[1]
        if layer not in MAY_INCLUDE:
            found.append(f"{path}: there is no layer {layer}/")
        else:
            found += problems_of(path, layer)
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


main()
