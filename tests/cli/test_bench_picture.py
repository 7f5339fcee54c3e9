"""The picture of the benchmarks and the README agree with the table."""

import re
import sys
from xml.etree import ElementTree

from test_docs import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import picture
import report
from measure import Run
from works import WORKS

TABLE = (ROOT / "docs" / "bench-table.md").read_text("utf-8")
SVG = (ROOT / "docs" / "bench.svg").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def test_the_picture_is_drawn_from_the_table():
    assert picture.draw(TABLE) == SVG
    ElementTree.fromstring(SVG)


def test_each_drawn_kind_of_work_is_in_the_table():
    assert set(picture.ROWS) <= set(picture.read(TABLE))


def test_losses_are_drawn_first_and_labelled():
    figures = picture.read(TABLE)
    lost = [w for w in picture.ROWS if figures[w]["bolide"][1] < 1]
    assert lost
    order = re.findall(r'class="work">([^<]+)<', SVG)
    assert order[: len(lost)] == [picture.ROWS[w] for w in lost]
    assert SVG.count(": lost<") == len(lost)


def test_a_peer_that_answers_with_errors_has_failed():
    bad = "Non-2xx or 3xx responses: 5"
    rounds = {
        "bolide": [Run(requests=2, rate=2.0, p50=1.0, p99=1.0)],
        "fastpysgi": [Run(requests=9, rate=9.0, p50=1.0, p99=1.0, errors=bad)],
        "weft": [Run(requests=1, rate=1.0, p50=1.0, p99=1.0)],
    }
    assert report.best_peer(rounds) == "weft"
    assert "2.00x weft" in report.verdict(WORKS["hello"], rounds)
    (failed,) = (x for x in report.rows_of(WORKS["hello"], rounds) if "fastpysgi" in x)
    assert failed.split("|")[3].strip() == "failed"
    assert bad in failed


def test_a_failure_is_not_a_figure():
    text = re.sub(
        r"\| FastAPI JSON route \| uvicorn \| [\d,]+ \|",
        "| FastAPI JSON route | uvicorn | failed |",
        TABLE,
    )
    assert text != TABLE
    drawn = picture.draw(text)
    assert ">failed<" in drawn
    assert "| 0 |" not in TABLE


def test_work_that_no_peer_can_do_is_not_drawn():
    row = "| GET hello from the cache | bolide | 9 | | 1 | 1 + 1 | 1 | 1 | 1 | |\n"
    assert picture.draw(TABLE + row) == SVG


def test_the_readme_names_the_handshakes_in_which_bolide_is_slower():
    figures = picture.read(TABLE)
    full = figures["full TLS handshakes, one at a time, a request each"]["bolide"][1]
    resumed = figures["resumed TLS handshakes, one at a time"]["bolide"][1]
    claim = f"{full:.2f} of the rate of the fastest one for full handshakes, and"
    assert f"{claim} {resumed:.2f} for resumed ones" in " ".join(README.split())


def test_the_rows_of_the_table_are_in_the_order_of_the_claims():
    for servers in picture.read(TABLE).values():
        ratios = [x[1] for x in servers.values() if x]
        assert ratios == sorted(ratios, reverse=True)
