"""docs/OPTIONS.md and docs/LIMITS.md agree with the program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bolide.cli import main as cli
from bolide.cli.options import OPTIONS
from bolide.config.config import Config

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
TLS = [i for i, x in enumerate(OPTIONS) if x.group in ("TLS", "HTTP/3")]
"""Settings that require a certificate."""


def words_of(cell):
    return re.findall(r"`([^`]*)`", cell)


def test_every_option_is_documented_in_order():
    assert [words_of(row[0]) for row in DOCUMENTED] == [
        [f"{x.name} {x.takes}".rstrip(), *filter(None, (x.negative, x.alias))]
        for x in OPTIONS
    ]


def test_the_tables_of_the_documents_are_up_to_date():
    command = [sys.executable, str(ROOT / "tools" / "option_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert all(row[4].endswith((".", "`")) for row in DOCUMENTED)
    assert all(row[5].endswith(".") for row in rows("LIMITS.md", "option"))


@pytest.mark.parametrize("row", DOCUMENTED, ids=[x[5] for x in DOCUMENTED])
def test_each_example_is_valid(row, tmp_path, monkeypatch):
    (tmp_path / "public").mkdir()
    monkeypatch.chdir(tmp_path)
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
        if "webtransport" in settings:
            settings["http3"] = True
        if not {"log_config", "reload"} & set(settings):
            Config(**settings)


def test_the_exit_codes_are_those_of_the_server():
    from bolide import server
    from bolide.serving import stopping

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


def test_the_documented_constants_are_those_of_the_source():
    source = (ROOT / "src" / "http" / "limits.h").read_text(encoding="utf-8")
    defined = re.findall(
        r"#define (HTTP_(?!DROPPED)\w+_BYTES)[\s\\]+\((\d+)u \* (\d+)\)", source
    )
    assert defined
    assert [(row[0], row[1]) for row in rows("LIMITS.md", "name")] == [
        (f"`{name}`", str(int(a) * int(b))) for name, a, b in defined
    ]
