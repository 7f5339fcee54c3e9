"""The board of examples/webtransport_chat in two tabs of a browser."""

import asyncio
import sys
from pathlib import Path

import pytest
from chromium import BROWSER, DEADLINE_S, Browser, Page, short_certificate

TESTS = Path(__file__).parent.parent
BOARD = TESTS.parent / "examples" / "webtransport_chat"
sys.path.insert(0, str(TESTS / "cli"))

from command import Command  # noqa: E402

from bolide import _engine  # noqa: E402

websockets = pytest.importorskip("websockets")
SAY = """
document.getElementById("text").value = "hello from one";
document.getElementById("form").requestSubmit();
"""
# A block: the names of another evaluation would be declared twice.
POINT = """{
const box = document.getElementById("board").getBoundingClientRect();
const place = {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
document.getElementById("board").dispatchEvent(new PointerEvent("pointermove", place));
}"""
STATE = 'document.getElementById("state")?.textContent == "connected"'
CURSOR = 'document.querySelector("#board b")?.style.left == "50%"'
NO_CURSOR = 'document.querySelector("#board b") == null'


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: make browser installs it")
@pytest.mark.skipif(not _engine.has_http3(), reason="a build without HTTP/3")
def test_lines_and_cursors_are_shown_in_the_other_tab(tmp_path):
    cert, key = short_certificate(tmp_path)
    options = ["--app-dir", str(BOARD), "--port", "0", "--http3", "--webtransport"]
    options += ["--ssl-certfile", str(cert), "--ssl-keyfile", str(key)]
    env = {"CERTIFICATE": str(cert)}
    browser = Browser(tmp_path / "profile", "--ignore-certificate-errors")

    async def run(url):
        places = [browser.new_page(url) for _ in range(2)]
        async with (
            websockets.connect(places[0]) as one,
            websockets.connect(places[1]) as two,
        ):
            first, second = Page(one), Page(two)
            await first.until(STATE)
            await second.until(STATE)
            await first.evaluate(SAY)
            said = 'document.getElementById("said").textContent'
            await second.until(f'{said}.includes(": hello from one")')
            async with asyncio.timeout(DEADLINE_S):  # a datagram may be lost
                while not await second.evaluate(CURSOR):
                    await first.evaluate(POINT)
            await first.close()
            await second.until(NO_CURSOR)

    try:
        with Command("board:app", *options, env=env) as command:
            asyncio.run(run(f"https://127.0.0.1:{command.port()}/"))
    finally:
        browser.stop()
