#!/usr/bin/env python3
"""Checks that identifiers and paths in documents and in comments of src/ exist.

A name that was changed or removed is reported with the place that still has it.  A
document that is missing from the navigation of the site (mkdocs.yml) is reported too.
"""

import re
import sys
from pathlib import Path

DESCRIBE = ("docs/ARCHITECTURE.md", "docs/TESTING.md", "CONTRIBUTING.md")
CODE = (
    "src",
    "bolide",
    "tests",
    "tools",
    "bench",
    "examples",
    "Makefile",
    "meson.build",
)
TEXT = {".c", ".h", ".def", ".py", ".pyi", ".build", ".sh", ".md", ".toml", ".html", ""}

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
IS_NAME = re.compile(r"(?<![\w./%-])[A-Za-z]\w*_\w*[A-Za-z0-9](?![\w*/-]|\.\w)")
IS_PATH = re.compile(
    r"(?:src|bolide|tests|tools|bench|docs|examples|deploy)/[\w./-]*\w"
)
SOURCE = re.compile(r"\b(?:[a-z0-9_]+/)+[a-z0-9_]+\.[chd](?:ef)?\b")

ELSEWHERE = {
    "CONNECTION_CLOSE",
    "HEAP_MAX_SIZE",
    "MAX_STREAMS",
    "NEW_TOKEN",
    "RESET_STREAM",
    "STOP_SENDING",
    "app_data",
    "close_notify",
    "legacy_record_version",
    "nghttp2_error_code",
    "tp_clear",
}
"""Names of other projects and of protocols."""


def files() -> list[Path]:
    """Return the files of the tree that have code."""
    found = [Path(x) for x in CODE if Path(x).is_file()]
    for folder in (Path(x) for x in CODE if Path(x).is_dir()):
        found += [x for x in folder.rglob("*") if x.is_file() and x.suffix in TEXT]
    return [x for x in found if "__pycache__" not in x.parts]


def code_of(path: Path) -> str:
    """Return the text of a file, without the comments of a C file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return COMMENT.sub(" ", text) if path.suffix in (".c", ".h") else text


def known() -> set[str]:
    """Return all identifiers of the code."""
    names = set(ELSEWHERE)
    for path in files():
        if path.suffix != ".md":
            names.update(IDENTIFIER.findall(code_of(path)))
    return names


def paths_in(text: str) -> set[str]:
    """Return the paths of the tree that ``text`` names and that do not exist."""
    wanted = set(IS_PATH.findall(text))
    wanted |= {f"src/{x}" for x in SOURCE.findall(text) if not IS_PATH.match(x)}
    return {
        x for x in wanted if not Path(x).exists() and not list(Path().glob(f"{x}*"))
    }


def names_in(text: str) -> set[str]:
    """Return the identifiers: words with an underscore that are not parts of a path."""
    return set(IS_NAME.findall(text))


def layers_missing() -> list[str]:
    """Return one line for each folder of src/ missing in the drawing of the layers."""
    text = Path("docs/ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = set(
        re.findall(r"\b((?:asgi/)?[a-z0-9]+)/", text.partition("Four seams")[0])
    )
    folders = {str(x.relative_to("src")) for x in Path("src").rglob("*") if x.is_dir()}
    wrong = [f"docs/ARCHITECTURE.md: the layers lack src/{x}" for x in folders - drawn]
    return sorted(wrong)


def pages_missing() -> list[str]:
    """Return one line for each document missing in the navigation of the site."""
    navigation = Path("mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"[\w/.-]+\.md\b", navigation))
    pages = {str(x.relative_to("docs")) for x in Path("docs").rglob("*.md")}
    return [f"mkdocs.yml: nav: lacks docs/{x}" for x in sorted(pages - listed)]


def problems() -> list[str]:
    """Return one line for each name that does not exist."""
    names, found = known(), layers_missing() + pages_missing()
    texts = {
        x: Path(x).read_text(encoding="utf-8") for x in DESCRIBE if Path(x).exists()
    }
    for path in sorted(Path("src").rglob("*.[ch]")):
        text = path.read_text(encoding="utf-8")
        texts[str(path)] = "\n".join(COMMENT.findall(text))
    for where, text in texts.items():
        found += [f"{where}: there is no {x}" for x in sorted(paths_in(text))]
        found += [f"{where}: there is no `{x}`" for x in sorted(names_in(text) - names)]
    return found


def main() -> None:
    """Check the tree; exit with 1 if a name does not exist."""
    found = problems()
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
