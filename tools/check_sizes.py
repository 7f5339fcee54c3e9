#!/usr/bin/env python3
"""Checks the sizes: lines of a file and of a function, arguments, nesting, branches."""

import ast
import re
import subprocess
import sys
from pathlib import Path

FILE_LINES = 600
FUNCTION_LINES = 80
ARGUMENTS = 6
NESTING = 4
BRANCHES = 15

CALLBACKS = {
    "src/http2/send.c: measure",
    "src/http3/frames.c: on_field",
    "tests/fuzz/fuzz_h3.c: on_field",
    "tests/fuzz/quic/client.c: on_field",
    "src/http3/send.c: read_body",
    "src/quic/connection.c: on_stream_data",
    "src/quic/handshake.c: on_update_key",
    "src/quic/handshake_compat.c: on_add_params",
    "src/quic/handshake_compat.c: on_read_params",
    "src/quic/handshake_compat.c: quic_compat_on_message",
    "src/quic/protection.c: on_decrypt",
    "src/quic/protection.c: on_encrypt",
    "tests/fuzz/quic/client.c: on_more_body",
    "tests/fuzz/quic/client.c: on_stream_data",
    "tests/fuzz/quic/client_tls.c: on_add",
    "tests/fuzz/quic/client_tls.c: on_message",
    "tests/fuzz/quic/client_tls.c: on_read",
}
"""Functions whose arguments are those of a library's callback."""

COMMENT_OR_TEXT = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S
)
DEFINITION = re.compile(r"^([a-zA-Z_]\w*)\(([^;{]*?)\)\n\{\n(.*?)^\}", re.M | re.S)
BRANCH = re.compile(r"\b(?:if|for|while|case)\b|&&|\|\||\?")


def blank(match: re.Match[str]) -> str:
    """Return as many empty lines as ``text`` has."""
    return re.sub(r"[^\n]", " ", match.group())


def depth_of(body: str) -> int:
    """Return how deep the braces of a function's body nest."""
    depth = deepest = 0
    for char in body:
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    return deepest


def c_problems(path: Path, text: str) -> list[str]:
    """Return one line for each C function that is too large."""
    found = []
    for match in DEFINITION.finditer(COMMENT_OR_TEXT.sub(blank, text)):
        name, arguments, body = match.groups()
        lines = body.count("\n") + 2
        nargs = 0 if arguments.strip() in ("", "void") else arguments.count(",") + 1
        switch = "switch" in body
        where = f"{path}: {name}"
        if lines > FUNCTION_LINES:
            found.append(f"{where}: {lines} lines")
        if nargs > ARGUMENTS and where not in CALLBACKS:
            found.append(f"{where}: {nargs} arguments")
        if depth_of(body) > NESTING:
            found.append(f"{where}: nests {depth_of(body)} deep")
        branches = len(BRANCH.findall(body)) + 1
        if branches > BRANCHES and not switch:
            found.append(f"{where}: {branches} branches")
    return found


def python_problems(path: Path, text: str) -> list[str]:
    """Return one line for each Python function that is too long."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{path}: {node.name}: {lines} lines")
    return found


def main() -> None:
    """Check every file that git tracks; exit with 1 if one is too large."""
    names = subprocess.check_output(["git", "ls-files"], text=True).split("\n")
    found = []
    for path in map(Path, names):
        if path.suffix not in (".c", ".h", ".py") or not path.is_file():
            continue
        text = path.read_text()
        if text.count("\n") > FILE_LINES:
            found.append(f"{path}: {text.count(chr(10))} lines")
        found += (python_problems if path.suffix == ".py" else c_problems)(path, text)
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


main()
