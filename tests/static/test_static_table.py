"""The table of docs/STATIC.md: each line is asked, over each protocol.

Covers src/static/statics.c and src/static/respond.c.
"""

import re
from pathlib import Path

import pytest
from fetching import APPLICATION

DOCUMENT = Path(__file__).parents[2] / "docs" / "STATIC.md"
ROW = re.compile(r"^\| `([A-Z]+) (\S+)`[^|]*\| (?:`([^`]*)` )?\| (\w+) \|$", re.M)
ROWS = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))


def test_the_table_is_read():
    assert len(ROWS) > 50


@pytest.mark.parametrize("missing", ["app", "404"])
def test_each_line_of_the_table_is_true(site, missing):
    wrong = []
    with site.serve(static_missing=missing) as ask:
        for method, path, field, want in ROWS:
            if site.protocol == "h2" and "\\" in path:
                continue
            got = ask(path, f"{field}\r\n" if field else "", method=method)
            status = str(got.status)
            if want == "application":
                want = str(APPLICATION) if missing == "app" else "404"
            if status != want:
                wrong.append(f"{method} {path} {field}: {status}, not {want}")
    assert wrong == []


def test_nothing_secret_is_sent(site):
    with site.serve() as ask:
        for method, path, field, _ in ROWS:
            got = ask(path, f"{field}\r\n" if field else "", method=method)
            assert b"secret" not in got.body.removeprefix(path.encode()) or (
                got.status == APPLICATION
            )
