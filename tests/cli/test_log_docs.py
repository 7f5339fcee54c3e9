"""docs/LOGS.md agrees with the code.

Covers src/log/format.c.
"""

import json
import re

import pytest
from command import request, serve, talk
from test_docs import ROOT, rows, words_of

from bolide import _engine
from bolide.config.sinks import parse_sink

ATOMS = rows("LOGS.md", "atom")
FORMATS = {words_of(x[0])[0]: words_of(x[1])[0] for x in rows("LOGS.md", "name")}
SOURCE = (ROOT / "src" / "log" / "atoms.def").read_text()
MADE_OF_FIELDS = {"f", "a", "{name}i", "{name}o"}


def test_every_atom_is_documented():
    documented = {name for row in ATOMS for name in words_of(row[0])}
    names = re.findall(r'"(\w+)"', "".join(re.findall(r"^ATOM\(.*", SOURCE, re.M)))
    assert documented - MADE_OF_FIELDS == set(names)


@pytest.mark.parametrize("row", ATOMS, ids=[x[0] for x in ATOMS])
def test_every_atom_can_be_used(row):
    for name in words_of(row[0]):
        for kind in "sdfjJ":
            _engine.check_access_format(f"%({name}){kind}")


def shape(text):
    """Return ``text`` without the letters and digits that depend on the time."""
    return re.sub(r"\w+", "x", text)


@pytest.mark.parametrize("name", FORMATS)
def test_the_documented_lines_are_logged(name):
    fields = (
        "Referer: http://a/\r\nUser-Agent: curl/7.88.1\r\nConnection: close\r\n"
        if name == "combined"
        else "User-Agent: curl/7.88.1\r\nConnection: close\r\n"
    )
    with serve("hello", "--access-log-format", name) as command:
        talk(command.port(), request("/x?y=z", fields))
        line = command.out.line_with("/x")
    if name == "json":
        example = json.loads(FORMATS[name])
        assert list(json.loads(line)) == list(example)
        return
    assert shape(line) == shape(FORMATS[name])


@pytest.mark.parametrize("row", rows("LOGS.md", "value"), ids=lambda row: row[0])
def test_every_sink_can_be_named(row):
    for value in words_of(row[0]):
        value = value.replace("host:port", "localhost:514")
        kinds = {"-": "stream", "s": "syslog", "j": "journal"}
        assert parse_sink("log_file", value).kind == kinds.get(value[0], "file")


def test_the_documented_sizes_are_those_of_the_source():
    text = " ".join((ROOT / "docs" / "LOGS.md").read_text().split())
    source = (ROOT / "src" / "log" / "format.h").read_text()
    numbers = dict(re.findall(r"#define FORMAT_(\w+)[\s\\]+(\d+)u", source))
    assert f"{numbers['TARGET_BYTES']} bytes are kept, of a field" in text
    assert f"of a field {numbers['FIELD_BYTES']};" in text
    assert f"at most {numbers['FIELDS']} fields and {numbers['TEXT_BYTES']} by" in text
    assert f"a line {numbers['LINE_BYTES']}." in text
