"""docs/OPTIONS.md and docs/LIMITS.md say what the program does."""

import re
from pathlib import Path

import pytest

from bolide import cli
from bolide.config import Config
from bolide.limits import LIMITS
from bolide.options import OPTIONS

ROOT = Path(__file__).parents[2]


def rows(name, first):
    """Return the rows of the tables whose first heading is ``first``, as cells."""
    found, inside = [], False
    for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines():
        cells = [x.strip() for x in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and set(cells[0]) != {"-"}:
            found.append([x.replace("\\|", "|") for x in cells])
    return found


ROW_ASKS = {x.name[2:] for x in OPTIONS if not x.field}
DOCUMENTED = rows("OPTIONS.md", "option")
TLS = [i for i, x in enumerate(OPTIONS) if x.group == "TLS"]
"""Settings that mean nothing without a certificate."""


def words_of(cell):
    return re.findall(r"`([^`]*)`", cell)


def test_every_option_is_documented_in_order():
    assert [words_of(row[0]) for row in DOCUMENTED] == [
        [f"{x.name} {x.takes}".rstrip(), *filter(None, (x.negative, x.alias))]
        for x in OPTIONS
    ]


@pytest.mark.parametrize("option", OPTIONS, ids=[x.name for x in OPTIONS])
def test_environment_default_and_unit_are_true(option):
    row = DOCUMENTED[OPTIONS.index(option)]
    units = {limit.name: limit.unit for limit in LIMITS} | {"backlog": "connections"}
    units |= {x.field: "s" for x in OPTIONS if x.takes == "SECONDS"}
    units["limit_rss"] = units["h11_max_incomplete_event_size"] = "bytes"
    units["keep_freed_memory"] = "bytes"
    assert row[1] == (f"`{option.variable}`" if option.variable else "")
    assert row[2] == option.default
    assert row[3] == units.get(option.field, "")
    assert row[4].endswith((".", "`"))


@pytest.mark.parametrize("row", DOCUMENTED, ids=[x[5] for x in DOCUMENTED])
def test_every_example_can_be_used(row):
    (example,) = words_of(row[5])
    assert example.split()[0] in " ".join(words_of(row[0])).split()
    words = [*example.split(), "a:b"]
    if example.startswith("--config"):
        return
    settings = cli.parse(words, {})
    if "app" in settings and ROW_ASKS.isdisjoint(settings):
        assert len(settings) == 2
        if DOCUMENTED.index(row) in TLS:
            settings.setdefault("ssl_certfile", "cert.pem")
        if not {"log_config", "reload"} & set(settings):
            Config(**settings)


def test_the_exit_codes_are_those_of_the_server():
    from bolide import server, stopping

    codes = [row[0] for row in rows("OPTIONS.md", "code")]
    assert codes == [
        str(server.EXIT_OK),
        str(server.EXIT_ERROR),
        str(server.EXIT_USAGE),
        str(server.EXIT_STARTUP),
        f"{stopping.EXIT_SIGNAL} + n",
    ]
    text = (ROOT / "docs" / "OPTIONS.md").read_text(encoding="utf-8")
    assert server.LEFTOVERS_S == 10
    assert "ended ten seconds later" in text


def test_every_limit_is_documented_with_its_unit_default_and_range():
    table = rows("LIMITS.md", "option")
    assert [row[:5] for row in table] == [
        [
            "`--" + limit.name.replace("_", "-") + "`",
            f"`{limit.key}`",
            limit.unit,
            f"{limit.default:.15g}",
            f"{limit.lowest} to {limit.highest}",
        ]
        for limit in LIMITS
    ]
    assert all(row[5].endswith(".") for row in table)


def test_the_fixed_numbers_are_those_of_the_source():
    source = (ROOT / "src" / "http" / "limits.h").read_text(encoding="utf-8")
    defined = re.findall(r"#define (\w+) \((\d+)u \* (\d+)\)", source)
    assert defined
    assert [(row[0], row[1]) for row in rows("LIMITS.md", "name")] == [
        (f"`{name}`", str(int(a) * int(b))) for name, a, b in defined
    ]
