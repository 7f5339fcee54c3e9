"""The benchmarks' picture and the README say what the table says."""

import re
import sys
from xml.etree import ElementTree

from test_docs import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import picture

TABLE = (ROOT / "docs" / "bench-table.md").read_text("utf-8")
SVG = (ROOT / "docs" / "bench.svg").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def test_the_picture_is_drawn_from_the_table():
    assert picture.draw(TABLE) == SVG
    ElementTree.fromstring(SVG)


def test_every_kind_of_work_that_is_drawn_is_in_the_table():
    assert set(picture.ROWS) <= set(picture.read(TABLE))


def test_what_is_lost_comes_first_and_is_called_so():
    figures = picture.read(TABLE)
    lost = [w for w in picture.ROWS if figures[w]["bolide"][1] < 1]
    assert lost
    order = re.findall(r'class="work">([^<]+)<', SVG)
    assert order[: len(lost)] == [picture.ROWS[w] for w in lost]
    assert SVG.count(": lost<") == len(lost)


def test_a_failure_is_no_figure():
    text = TABLE.replace(
        "| FastAPI JSON route | uvicorn | 5,255 |",
        "| FastAPI JSON route | uvicorn | failed |",
    )
    assert text != TABLE
    drawn = picture.draw(text)
    assert ">failed<" in drawn
    assert "| 0 |" not in TABLE


def test_the_readme_names_the_handshakes_that_are_lost():
    figures = picture.read(TABLE)
    full = figures["full TLS handshakes, one at a time, a request each"]["bolide"][1]
    resumed = figures["resumed TLS handshakes, likewise"]["bolide"][1]
    (row,) = [x for x in README.splitlines() if x.startswith("| Full TLS handshakes")]
    assert f"{full:.2f} · {resumed:.2f}" in row


def test_the_rows_of_the_table_are_in_the_order_of_what_is_claimed():
    for servers in picture.read(TABLE).values():
        ratios = [x[1] for x in servers.values() if x]
        assert ratios == sorted(ratios, reverse=True)
