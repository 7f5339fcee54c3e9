#!/usr/bin/env python3
"""Writes the tables of docs/OPTIONS.md and docs/LIMITS.md from the table of settings.

bolide/config/table.py has all columns except one: the details of an option, and the
effect of a limit, are kept as they are in the documents. A new option starts with its
help text. With --check it writes nothing, and exits with 1 if a document differs.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from bolide.cli.options import OPTIONS, Option
from bolide.config.rows import LIMITS, in_order
from bolide.config.setting import Setting

DOCS = Path(__file__).parents[1] / "docs"
SPLIT = re.compile(r"(?<!\\)\|")


def cells_of(line: str) -> list[str]:
    """Return the cells of a row; none if the line is not a row."""
    return [cell.strip() for cell in SPLIT.split(line)[1:-1]]


def row_of(cells: list[str]) -> str:
    """Return a line of a table."""
    return "|" + "|".join(f" {x} " if x else " " for x in cells) + "|"


def code(text: str) -> str:
    """Return ``text`` as code in a cell of a table; "" is unchanged."""
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def sentence(text: str) -> str:
    """Return a help text as a sentence."""
    return text[:1].upper() + text[1:] + "."


def example_of(option: Option) -> str:
    """Return the example of an option; that of a switch changes its default."""
    return f"{option.negative or option.name} {option.example}".rstrip()


def option_row(option: Option, meaning: str) -> str:
    """Return the row of an option in OPTIONS.md."""
    names = (f"{option.name} {option.takes}".rstrip(), option.negative, option.alias)
    return row_of(
        [
            " ".join(code(x) for x in names if x),
            code(option.variable),
            option.default,
            option.unit,
            meaning or sentence(option.meaning),
            code(example_of(option)),
        ]
    )


def limit_row(limit: Setting, consequence: str) -> str:
    """Return the row of a limit in LIMITS.md."""
    return row_of(
        [
            code(limit.option),
            code(limit.key),
            limit.unit,
            limit.shown,
            f"{limit.lowest} to {limit.highest}",
            consequence or "Not described yet.",
        ]
    )


def written(text: str) -> dict[str, list[str]]:
    """Return the rows of a document by the option in their first cell."""
    rows = [cells_of(line) for line in text.splitlines()]
    return {
        re.split("[` ]", row[0])[1]: row
        for row in rows
        if row and row[0].startswith("`-")
    }


def with_tables(text: str, tables: list[list[str]]) -> str:
    """Return a document with these rows in its tables of options, in order."""
    rest = iter(tables)
    lines: list[str] = []
    old = iter(text.splitlines())
    for line in old:
        lines.append(line)
        if cells_of(line)[:1] == ["option"]:
            lines.append(next(old))
            lines += next(rest)
            lines += after_table(old)
    assert next(rest, None) is None, "there is no table for a group of options"
    return "\n".join(lines) + "\n"


def after_table(lines: Iterator[str]) -> list[str]:
    """Skip the rows of a table; return the line after it, if there is one."""
    for line in lines:
        if not line.startswith("|"):
            return [line]
    return []


def options_text(text: str) -> str:
    """Return the new text of OPTIONS.md."""
    rows = written(text)
    groups = dict.fromkeys(option.group for option in OPTIONS)
    tables = [
        [
            option_row(option, rows.get(option.name, [""] * 6)[4])
            for option in OPTIONS
            if option.group == group
        ]
        for group in groups
    ]
    return with_tables(text, tables)


def limits_text(text: str) -> str:
    """Return the new text of LIMITS.md."""
    rows = written(text)
    table = [limit_row(x, rows.get(x.option, [""] * 6)[5]) for x in in_order(LIMITS)]
    return with_tables(text, [table])


def stub_text(text: str) -> str:
    """Return the new text of _engine.pyi, with the keys of all limits."""
    before, mark, rest = text.partition("# From rows of the table: numbers.")
    comment, _, rest = rest.partition("\n")
    _, blank, after = rest.partition("\n\n")
    keys = "\n".join(f"    {limit.key}: int" for limit in LIMITS)
    return f"{before}{mark}{comment}\n{keys}{blank}{after}"


def main() -> None:
    """Write the documents, or print which of them differ."""
    is_check = sys.argv[1:] == ["--check"]
    differs = False
    for path, made in MADE:
        text = path.read_text(encoding="utf-8")
        new = made(text)
        if is_check and new != text:
            print(f"{path.name} differs from bolide/config/table.py: run make tables")
            differs = True
        elif new != text:
            path.write_text(new, encoding="utf-8")
    sys.exit(1 if differs else 0)


MADE = (
    (DOCS / "OPTIONS.md", options_text),
    (DOCS / "LIMITS.md", limits_text),
    (DOCS.parent / "bolide" / "_engine.pyi", stub_text),
)


if __name__ == "__main__":
    main()
