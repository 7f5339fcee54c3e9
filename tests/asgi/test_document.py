"""docs/ASGI.md lists every statement, with tests that exist."""

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


def test_each_named_test_exists_and_names_its_statement():
    text = "\n".join(path.read_text() for path in HERE.glob("test_*.py"))
    names = re.findall(r"^def (test_\w+)", text, re.M)
    for number, prefix in rows():
        if prefix:
            found = [x for x in names if x == prefix or x.startswith(f"{prefix}_")]
            assert found, prefix
            assert any(number in x.split("_") for x in found), number


def test_only_unsupported_statements_have_no_test():
    without = [number for number, name in rows() if not name]
    assert without == ["B19"]
