#!/usr/bin/env python3
"""Checks the wording of documents, comments, docstrings and names of tests.

Each banned phrase has a plain replacement.  A meaning that is correct, such as "behind
a proxy", is allowed by ALLOWED.  Lines of Markdown are also checked for their width.
"""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

WIDTH = 100
"""Columns of a line of Markdown; tables, code, links and headings may be longer."""

BANNED = {
    r"behind": "after",
    r"likewise": "the same",
    r"tells? of": "reports, describes",
    r"is told|are told|was told|were told": "is notified, is given",
    r"hears?( of| from)?": "receives, is notified of",
    r"goes on|go on|going on|went on": "continues",
    r"swallow(s|ed|ing)?": "discards",
    r"strangers?": "untrusted clients",
    r"at hand": "available",
    r"of (its|their|his|our|your) own(?=[.,;:)]|$| \*)": "separate, dedicated",
    r"in all(?=[.,;:)])": "total",
    r"(is|are|has|have|was|had) gone": "has disconnected, has ended",
    r"accepting rests?|rests until": "pauses",
    r"looked at": "checked",
    r"(not|no) more than that": "at most",
    r"whoever": "clients that, anyone who",
    r"nobody has asked for": "not requested",
    r"words": "arguments",
    r"somebody|everybody": "a client, a process; all",
    r"anew": "again",
    r"all the same": "still",
    r"in pieces": "in parts",
    r"goes out|went out|go out": "is sent",
    r"(is|are|was|were) let go": "is disconnected",
    r"falls? out of": "cancels out",
    r"refuses?|refusing": "rejects",
    r"pieces? of": "parts of, buffers of",
    r"beside": "in addition to, during",
    r"asked for": "requested",
    r"in place of": "instead of",
    r"forgets?|forgotten": "drops, removes",
    r"lives? as long": "is kept until",
    r"says so": "reports it, is configured so",
    r"visibly": "in a way that the client can detect",
}
ALLOWED = [
    re.compile(x, re.I)
    for x in (
        r"behind (a|an|the|any|some|real|nginx|such a|one|two|its|load)? ?"
        r"(trusted |reverse |real )?"
        r"(load balancers?|balancer|proxy|proxies|firewall|nginx|haproxy|caddy)",
        r"behind (nginx|haproxy|caddy)( and \w+)?",
        r"falls? behind",
        r"leaves? (it|a \w+|no \w+|nothing|\w+) behind",
        r"(32|64|16|8|machine|whole|reserved|key|stop|swap|code|two|three|these|those|private|"
        r"banned|plain|english|few|own|other|twelve|dictionary|arguments ``)[- ]?"
        r"(bit )?words",
        r"words (of|per|in|with) ",
    )
]
PHRASES = [(re.compile(rf"\b(?:{old})\b", re.I), new) for old, new in BANNED.items()]

CHECKED = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/",
    "bolide/",
    "src/",
    "bench/",
    "examples/",
    "tests/",
    "tools/",
)
"""Files, or folders, that are checked when none is named."""
WRITTEN_BY_PROGRAMS = {"docs/bench-table.md", "docs/AUTOBAHN.md", "docs/H2SPEC.md"}

C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
TEST_NAME = re.compile(r"^(?:def |async def )?(test_\w+)\(", re.M)


def prose_of_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of ``text`` that are not code."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code:
            yield number, re.sub(r"`[^`]*`", "``", line)


def prose_of_c(text: str) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of the comments of a C file."""
    for match in C_COMMENT.finditer(text):
        start = text.count("\n", 0, match.start()) + 1
        for offset, line in enumerate(match.group().splitlines()):
            yield start + offset, line


def prose_of_python(text: str) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of the comments and docstrings of a Python file."""
    before = tokenize.INDENT
    quiet = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_doc = token.type == tokenize.STRING and before in quiet
        if token.type == tokenize.COMMENT or is_doc:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type


def names_of_tests(text: str) -> Iterator[tuple[int, str]]:
    """Return the numbered names of the tests that ``text`` defines, as words."""
    for match in TEST_NAME.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1].replace("_", " ")


READERS = {".md": prose_of_markdown, ".py": prose_of_python, ".pyi": prose_of_python}
READERS |= dict.fromkeys((".c", ".h"), prose_of_c)


def phrases_in(line: str) -> Iterator[tuple[str, str]]:
    """Return each banned phrase of ``line`` with its replacement."""
    allowed = [x.span() for pattern in ALLOWED for x in pattern.finditer(line)]
    for pattern, plain in PHRASES:
        for match in pattern.finditer(line):
            if not any(a <= match.start() and match.end() <= b for a, b in allowed):
                yield match.group(), plain


def too_wide(line: str) -> bool:
    """Return whether a line of prose is longer than it may be."""
    return len(line) > WIDTH and not line.startswith(("|", "#", "[", "!["))


def problems_of(path: Path) -> list[str]:
    """Return one line for each problem in ``path``."""
    text = path.read_text(encoding="utf-8")
    found = []
    lines_of_prose = [*READERS[path.suffix](text), *names_of_tests(text)]
    for number, line in lines_of_prose:
        for phrase, plain in phrases_in(line):
            found.append(f"{path}:{number}: {phrase!r}: write {plain}")
    if path.suffix == ".md" and "wire" not in path.parts:
        lines = dict(enumerate(text.splitlines(), 1))
        for number, _ in prose_of_markdown(text):
            if too_wide(lines[number]):
                found.append(f"{path}:{number}: {len(lines[number])} columns")
    return found


def main() -> None:
    """Check the files named, or CHECKED; exit with 1 if one has a problem."""
    names = sys.argv[1:]
    if not names:
        listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True)
        names = [
            x for x in listed.stdout.decode().splitlines() if x.startswith(CHECKED)
        ]
        names = sorted({*names} - WRITTEN_BY_PROGRAMS)
    found = []
    for path in map(Path, names):
        if path.suffix in READERS and path.name != "check_words.py" and path.is_file():
            found += problems_of(path)
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
