"""The defaults in docs/explanation and its diagrams are those of the table."""

import re

import pytest
from pages import ROOT

from bolide.config.rows import SETTINGS

SAID = re.compile(r"(--[a-z][a-z0-9-]+) (\d+)\b|`(--[a-z][a-z0-9-]+)` \((\d+) s\)")
ROW = re.compile(r"^\|[^|]*\| `(--[a-z-]+)` \| (\d+) \|", re.M)
DEFAULTS = {x.option: x.default for x in SETTINGS}
PICTURES = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "explanation" / "deadlines.md"


@pytest.mark.parametrize("name", ["connection.svg", "stop.svg"])
def test_a_diagram_names_the_defaults(name):
    found = SAID.findall((PICTURES / name).read_text("utf-8"))
    assert len(found) >= 3
    for option, value, *_ in found:
        assert DEFAULTS[option] == int(value), option


def test_the_page_of_deadlines_names_the_defaults():
    text = PAGE.read_text("utf-8")
    rows = ROW.findall(text)
    assert len(rows) == 9
    for option, value in rows:
        assert DEFAULTS[option] == int(value), option
    said = [x[2:] for x in SAID.findall(text) if x[2]]
    assert len(said) >= 3
    for option, value in said:
        assert DEFAULTS[option] == int(value), option
