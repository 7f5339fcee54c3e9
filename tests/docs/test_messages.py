"""docs/reference/messages.md has the messages that the program logs."""

import re

import pytest
from pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "messages.md").read_text("utf-8")
SOURCES = [
    *(ROOT / "src").rglob("*.c"),
    *(ROOT / "src").rglob("*.h"),
    *(ROOT / "bolide").rglob("*.py"),
]


def joined(text):
    """Return ``text`` with string literals joined, without white space."""
    text = re.sub(r'["\']\s*\n\s*f?["\']', "", text)
    return re.sub(r"\s+", "", text)


CODE = "".join(joined(path.read_text("utf-8")) for path in SOURCES)
ROWS = [x.split("|")[1] for x in PAGE.splitlines() if x.startswith("| ")]
PARTS = [
    part
    for row in ROWS
    for quoted in re.findall(r"`([^`]+)`", row)
    for part in re.split(r"\.\.\.|, $", quoted)
    if len(part.split()) > 1
]


@pytest.mark.parametrize("part", PARTS)
def test_each_documented_message_is_logged_by_the_program(part):
    assert joined(part.strip(" :,()")) in CODE
