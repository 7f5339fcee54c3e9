"""The layers of the engine: which files may include which, for check_layers.py."""

import re
from pathlib import Path

SOURCE = Path("src")

MAY_INCLUDE = {
    "base": set(),
    "net": {"base"},
    "tls": {"base", "net"},
    "http": {"base", "net"},
    "http1": {"base", "http"},
    "http2": {"base", "http"},
    "http3/carrier": {"base"},
    "http3": {"base", "http", "http3/carrier"},
    "quic": {"base", "net", "tls", "http3/carrier"},
    "ws": {"base", "http"},
    "log": {"base", "net", "http"},
    "builtin": {"base", "http"},
    "static": {"base", "net", "http"},
    "coding": {"base", "http"},
    "cache": {"base", "net", "http"},
    "server": {
        *{"base", "net", "tls", "http", "http1", "http2", "http3", "http3/carrier"},
        *{"quic", "log", "builtin", "static", "coding", "cache"},
    },
    "awaitable": set(),
    "asgi": {"base", "http", "ws", "awaitable"},
    "asgi/http": {"base", "http", "awaitable", "asgi"},
    "asgi/websocket": {"base", "http", "ws", "awaitable", "asgi", "asgi/http"},
    "asgi/webtransport": {"base", "http", "awaitable", "asgi", "asgi/http"},
    "asgi/lifespan": {"base", "http", "awaitable", "asgi"},
    "asgi/app": {
        *{"base", "http", "ws", "asgi", "asgi/http", "asgi/websocket"},
        "asgi/webtransport",
    },
    "py": {
        *{"base", "net", "tls", "http", "http1", "http2", "quic", "ws"},
        *{"log", "builtin", "static", "coding", "cache", "server", "awaitable"},
        *{"asgi", "asgi/http", "asgi/websocket", "asgi/webtransport"},
        *{"asgi/lifespan", "asgi/app"},
    },
}
"""The other layers that a layer's files may include, from the lowest. A layer is a
folder, or one module of a folder.
"""

ASGI_SEES = re.compile(
    r"http/(stream|peer|head|field|status|target|forwarded|webtransport)\.h"
)
"""What the bridge uses of HTTP: the meaning of an exchange, not its protocol."""

PYTHON_LAYERS = {"awaitable", "asgi", "py"}

PRIVATE = re.compile(r"_(internal|parts|ways)$")
"""The suffix of a module's private header: it is a part of the module."""

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)


def module_of(name: str) -> str:
    """Return the module that a file below src/ belongs to."""
    return PRIVATE.sub("", name.rpartition(".")[0])


def layer_of(name: str) -> str | None:
    """Return the layer of a file below src/, or None if it belongs to none."""
    module, folder = module_of(name), name.rpartition("/")[0]
    if module in MAY_INCLUDE:
        return module
    return folder if folder in MAY_INCLUDE else None


def problems_of(name: str, includes: list[str]) -> list[str]:
    """Return one line for each of ``includes`` that the file may not have."""
    layer, found = layer_of(name), []
    if layer is None:
        return [f"src/{name}: it belongs to no layer"]
    top = layer.partition("/")[0]
    for target in includes:
        below = layer_of(target)
        if target == "Python.h" and top not in PYTHON_LAYERS:
            found.append(f"src/{name}: {layer}/ may not include Python.h")
        if below not in (None, layer, *MAY_INCLUDE[layer]):
            found.append(f"src/{name}: {layer}/ may not include {target}")
        elif top == "asgi" and below == "http" and not ASGI_SEES.fullmatch(target):
            found.append(f"src/{name}: asgi/ does not know {target}")
    return found


def read_engine() -> dict[str, list[str]]:
    """Return the includes of each file below src/."""
    paths = sorted(SOURCE.rglob("*.[ch]"))
    return {
        str(path.relative_to(SOURCE)): INCLUDE.findall(path.read_text(encoding="utf-8"))
        for path in paths
    }


def modules_of(files: dict[str, list[str]]) -> dict[str, set[str]]:
    """Return for each module the other modules it includes."""
    graph: dict[str, set[str]] = {module_of(name): set() for name in files}
    for name, includes in files.items():
        folder = name.rpartition("/")[0]
        paths = {x for y in includes for x in (y, f"{folder}/{y}") if x in files}
        targets = {module_of(x) for x in paths}
        graph[module_of(name)] |= targets - {module_of(name)}
    return graph


def find_units(graph: dict[str, set[str]]) -> list[frozenset[str]]:
    """Return the sets of modules that include each other, directly or not."""
    reach: dict[str, set[str]] = {}
    for module in graph:
        seen: set[str] = set()
        left = list(graph[module])
        while left:
            if (other := left.pop()) not in seen:
                seen.add(other)
                left += graph[other]
        reach[module] = seen
    units = {
        frozenset(x for x in reach[module] if module in reach[x])
        for module in graph
        if module in reach[module]
    }
    return sorted(units, key=sorted)


def problems() -> list[str]:
    """Return one line for each rule that the engine breaks."""
    files = read_engine()
    lines = [line for name in files for line in problems_of(name, files[name])]
    return lines + [
        "modules that include each other: " + " ".join(sorted(unit))
        for unit in find_units(modules_of(files))
    ]


def drawing() -> list[str]:
    """Return the layers as lines, the highest first, with what each one includes."""
    graph = modules_of(read_engine())
    lines = ["src/: a layer includes those below it"]
    order = list(MAY_INCLUDE)
    for layer in reversed(order):
        modules = [x for x in graph if layer_of(f"{x}.c") == layer]
        found = {layer_of(f"{x}.c") for module in modules for x in graph[module]}
        below = sorted(found - {layer, None}, key=lambda x: -order.index(str(x)))
        arrow = f" -> {' '.join(map(str, below))}" if below else ""
        lines.append(f"  {layer:<14} {len(modules):>2}{arrow}")
    return lines
