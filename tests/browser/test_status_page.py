"""The status page in a browser: live, and quiet in the console."""

import asyncio
import sys
from pathlib import Path

import pytest
from chromium import BROWSER, Browser, Page

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from command import request, serve, talk

websockets = pytest.importorskip("websockets")
ERRORS = "window.errors = []; window.onerror = (e) => window.errors.push(String(e));"
LINE = 'document.querySelector("figure svg path:last-child").getAttribute("d")'
NEWS = "Number(document.body?.dataset.news || 0)"


@pytest.fixture
def browser(tmp_path):
    """Start a browser; skip where there is none."""
    if BROWSER is None:
        pytest.skip("no Chromium: make browser installs it")
    running = Browser(tmp_path)
    yield running
    running.stop()


def number(title):
    """Return the expression of the first number of a chart."""
    return (
        '[...document.querySelectorAll("figure")].find((x) => x.querySelector("h2")'
        f'.textContent === "{title}").querySelector("b").textContent'
    )


def test_it_shows_rates_workers_and_the_end(browser):
    """The numbers move with the requests; a server that stops is shown as gone."""
    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]

    async def run(command):
        port = command.port()
        inside = command.err.line_with("health, metrics and status on ").split()[-1]
        async with websockets.connect(browser.new_page(inside)) as socket:
            page = Page(socket)
            await page.until(f"{NEWS} >= 2")
            await page.evaluate(ERRORS)
            assert (
                await page.evaluate('document.getElementById("state").className')
                == "live"
            )
            rows = 'document.querySelectorAll("#workers tr").length'
            assert await page.evaluate(rows) == 2
            for _ in range(20):
                await asyncio.to_thread(
                    talk, port, request("/", "Connection: close\r\n")
                )
            await page.until(
                f"[...{LINE}.matchAll(/ ([0-9.]+)/g)].some((y) => y[1] < 99)"
            )
            assert float((await page.evaluate(number("Memory"))).replace(",", "")) > 1
            assert await page.evaluate("window.errors.length") == 0
            code = await asyncio.to_thread(command.stop)
            assert code == 0
            await page.until('document.getElementById("state").className === "lost"')

    with serve("hello", *words) as command:
        asyncio.run(run(command))
