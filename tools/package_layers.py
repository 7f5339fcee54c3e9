"""The layers of the Python package: which modules may import which, for
check_layers.py.
"""

import ast
from pathlib import Path
from typing import NamedTuple

PACKAGE = "bolide"

LAYERS = (
    "_engine errors systemd webtransport",
    "system",
    "config",
    "logs",
    "observe",
    "serving",
    "server",
    "processes gunicorn",
    "run",
    "cli",
    "__main__",
)
"""From the lowest; a module imports from its own folder and from lower layers."""

WHEN_CALLED = {
    ("bolide.config.uvicorn_compat", "bolide.serving.app_loader"): "Config.load_app",
    ("bolide.config.uvicorn_compat", "bolide.serving.loops"): "Config.get_loop_factory",
    ("bolide.config.uvicorn_compat", "bolide.serving.sockets"): "Config.bind_socket",
    ("bolide.logs.log", "bolide"): "the version in the first line of the log",
    ("bolide.observe.build_info", "bolide"): "the version on the status page",
    ("bolide.cli.main", "bolide"): "the version that --version prints",
}
"""Imports that point up, inside a function, and the reason: methods of uvicorn's
Config, and the version number.
"""

LEVEL = {name: i for i, names in enumerate(LAYERS) for name in names.split()}


class Import(NamedTuple):
    """One module that another imports."""

    source: str
    target: str
    is_in_function: bool


def module_of(path: Path) -> str:
    """Return the name of the module at ``path``."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    """Return the folder of a module, or its name if it is in none; "" for the
    package itself.
    """
    return module.partition(".")[2].partition(".")[0]


def imports_of(path: Path, modules: set[str]) -> list[Import]:
    """Return what the module at ``path`` imports from the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [x if x in modules else node.module for x in whole]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == PACKAGE:
                found.append(Import(module_of(path), name, id(node) in inside))
    return found


def read_package() -> tuple[dict[str, list[Import]], list[str]]:
    """Return the imports of each module, and the modules without a layer."""
    paths = sorted(Path(PACKAGE).rglob("*.py"))
    modules = {module_of(path) for path in paths} | {f"{PACKAGE}._engine"}
    graph = {module_of(path): imports_of(path, modules) for path in paths}
    return graph, [x for x in graph if layer_of(x) not in LEVEL and x != PACKAGE]


def problems_of(found: Import) -> list[str]:
    """Return why an import is not allowed."""
    source, target = layer_of(found.source), layer_of(found.target)
    if not source or source == target:
        return []
    allowed = found.is_in_function and (found.source, found.target) in WHEN_CALLED
    if (target and LEVEL[target] < LEVEL[source]) or allowed:
        return []
    return [f"{found.source} may not import {found.target}: it is not below"]


def find_cycle(graph: dict[str, list[Import]]) -> list[str]:
    """Return modules that import each other in a cycle; empty if there are none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done or module not in graph:
            return []
        path.append(module)
        for found in graph[module]:
            allowed = (found.source, found.target) in WHEN_CALLED
            cycle = [] if allowed else visit(found.target)
            if cycle:
                return cycle
        done.add(path.pop())
        return []

    return next(filter(None, map(visit, graph)), [])


def problems() -> list[str]:
    """Return one line for each rule that the package breaks."""
    graph, strangers = read_package()
    if strangers:
        return [f"{x}: there is no layer {layer_of(x)}" for x in strangers]
    imports = [found for every in graph.values() for found in every]
    lines = [line for found in imports for line in problems_of(found)]
    used = {(found.source, found.target) for found in imports}
    lines += [f"{a} does not import {b}" for a, b in WHEN_CALLED if (a, b) not in used]
    if cycle := find_cycle(graph):
        lines.append("a circle of imports: " + " -> ".join(cycle))
    return lines


def drawing() -> list[str]:
    """Return the layers as lines, the highest first, with what each one imports."""
    graph, _ = read_package()
    lines = [f"{PACKAGE}/: a layer imports those below it"]
    for names in reversed(LAYERS):
        for name in names.split():
            modules = [x for x in graph if layer_of(x) == name]
            found = {
                layer_of(x.target)
                for module in modules
                for x in graph[module]
                if (x.source, x.target) not in WHEN_CALLED
            }
            below = sorted(found - {name, ""}, key=LEVEL.__getitem__, reverse=True)
            arrow = f" -> {' '.join(below)}" if below else ""
            lines.append(f"  {name:<10} {len(modules) or 1:>2}{arrow}")
    return lines
