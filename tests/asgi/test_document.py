"""docs/ASGI.md names every statement, and tests that are there."""

import re
from pathlib import Path

HERE = Path(__file__).parent
COUNTS = {"A": 16, "B": 38, "C": 15, "D": 21, "E": 58, "F": 48, "G": 26}
ROW = re.compile(r"^\| ([A-G]\d+) \| .+ \| (?:`(\w+)`)? *\|$", re.M)


def rows():
    """Return the statements and the tests that they name."""
    return ROW.findall((HERE.parent.parent / "docs" / "ASGI.md").read_text())


def test_every_statement_has_a_row():
    wanted = [
        f"{group}{n + 1}" for group, count in COUNTS.items() for n in range(count)
    ]
    assert [number for number, _ in rows()] == wanted


def test_every_test_that_is_named_is_there_and_names_the_statement():
    text = "\n".join(path.read_text() for path in HERE.glob("test_*.py"))
    names = re.findall(r"^def (test_\w+)", text, re.M)
    for number, prefix in rows():
        if prefix:
            found = [x for x in names if x == prefix or x.startswith(f"{prefix}_")]
            assert found, prefix
            assert any(number in x.split("_") for x in found), number


def test_only_what_is_not_served_has_no_test():
    without = [number for number, name in rows() if not name]
    assert without == ["B19"]
