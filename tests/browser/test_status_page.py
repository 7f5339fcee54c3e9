"""The status page in a browser: it updates live and logs no error to the console."""

import asyncio
import socket
import sys
import time
from pathlib import Path

import pytest
from chromium import BROWSER, Browser, Page

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from command import request, serve, talk

import bolide

websockets = pytest.importorskip("websockets")
ERRORS = "window.errors = []; window.onerror = (e) => window.errors.push(String(e));"
LINE = 'document.querySelector("figure .line").getAttribute("d")'
NEWS = "Number(document.body?.dataset.news || 0)"


@pytest.fixture
def browser(tmp_path):
    """Start a browser; skip if there is none."""
    if BROWSER is None:
        pytest.skip("no Chromium: make browser installs it")
    running = Browser(tmp_path)
    yield running
    running.stop()


def figure(title):
    """Return the expression for a chart."""
    return (
        '[...document.querySelectorAll("figure")].find((x) => x.querySelector("h2")'
        f'.textContent.startsWith("{title}"))'
    )


def number(title):
    """Return the expression for the first number of a chart."""
    return f'{figure(title)}.querySelector("b").textContent'


SIZES = {"wide": (1280, 900), "phone": (390, 844)}
HOVER = """(() => {{
    const plot = {figure}.querySelector(".plot");
    const box = plot.getBoundingClientRect();
    plot.dispatchEvent(new PointerEvent("pointermove", {{ bubbles: true,
        clientX: box.left + box.width * {part}, clientY: box.top + 20 }}));
    return document.querySelectorAll('.at[d^="M"]').length;
}})()"""


async def visit(browser, command, steps):
    """Open the status page of ``command`` and run ``steps`` with it."""
    inside = command.err.line_with("health, metrics and status on ").split()[-1]
    async with websockets.connect(browser.new_page(inside), max_size=1 << 24) as sock:
        page = Page(sock)
        await page.until(f"{NEWS} >= 1")
        await page.evaluate(ERRORS)
        await steps(page)
        assert await page.evaluate("window.errors.length") == 0


def test_the_page_shows_rates_workers_and_a_lost_connection(browser):
    """The numbers follow the requests; a server that stops is shown as not
    connected.
    """
    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]

    async def steps(page):
        port = command.port()
        await page.until('document.getElementById("state").className === "live"')
        rows = 'document.querySelectorAll("#workers tr").length'
        assert await page.evaluate(rows) == 2
        for _ in range(20):
            await asyncio.to_thread(talk, port, request("/", "Connection: close\r\n"))
        await page.until(f"[...{LINE}.matchAll(/ ([0-9.]+)/g)].some((y) => y[1] < 99)")
        assert float((await page.evaluate(number("Memory"))).replace(",", "")) > 1
        total = 'document.querySelector("#totals dd").textContent'
        await page.until(f'{total} === "20"')
        title = await page.evaluate("document.title")
        assert title.endswith(f"/s · {socket.gethostname()} \u2013 bolide")
        about = await page.evaluate('document.getElementById("about").textContent')
        assert about.startswith(f"bolide {bolide.__version__} · apps:hello · Python 3.")
        assert await asyncio.to_thread(command.stop) == 0
        await page.until('document.getElementById("state").className === "lost"')
        said = await page.evaluate('document.getElementById("state").textContent')
        assert said.startswith("not connected since ")
        grey = 'getComputedStyle(document.querySelector("main")).filter'
        assert await page.evaluate(grey) == "grayscale(1)"
        states = '[...document.querySelectorAll("#workers .state")]'
        assert await page.evaluate(
            f'{states}.every((x) => x.textContent === "unknown")'
        )

    with serve("hello", *words) as command:
        asyncio.run(visit(browser, command, steps))


def test_the_charts_include_the_time_before_the_page_was_opened(browser):
    """The values of one moment are shown in all charts, by pointer and by keys."""

    async def steps(page):
        line = f'{figure("Requests")}.querySelector(".line").getAttribute("d")'
        assert await page.evaluate(f"[...{line}.matchAll(/[ML]/g)].length") >= 2
        charts = await page.evaluate('document.querySelectorAll("figure").length')
        hover = HOVER.format(figure=figure("Latency"), part=0.2)
        assert await page.evaluate(hover) == charts
        ago = f'{figure("Errors")}.querySelector(".axis").textContent'
        assert " s ago" in (await page.evaluate(ago)).replace("3 min ago", "")
        press = (
            'document.getElementById("charts").dispatchEvent('
            'new KeyboardEvent("keydown", {{ key: "{}", bubbles: true }}))'
        )
        await page.evaluate(press.format("Escape"))
        assert "highest" in await page.evaluate(ago)
        await page.evaluate(press.format("ArrowLeft"))
        assert "highest" not in await page.evaluate(ago)
        label = (
            f'{figure("Latency")}.querySelector(".plot svg").getAttribute("aria-label")'
        )
        assert "p99 " in await page.evaluate(label)

    with serve("hello", "--metrics-bind", "127.0.0.1:0") as command:
        port = command.port()
        talk(port, request("/", "Connection: close\r\n"))
        end = time.monotonic() + 2.2  # the history has a resolution of one second
        while time.monotonic() < end:
            talk(port, request("/", "Connection: close\r\n"))
            time.sleep(0.1)
        asyncio.run(visit(browser, command, steps))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_its_card(browser, size, scheme):
    """Even with the widest possible numbers; the page does not scroll sideways."""
    width, height = SIZES[size]

    async def steps(page):
        await page.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=size == "phone",
        )  # fmt: skip
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        await page.ask("Emulation.setEmulatedMedia", features=media)
        await page.evaluate(
            'document.querySelectorAll(".key b")'
            '.forEach((x) => x.textContent = "999.9")'
        )
        over = (
            '[...document.querySelectorAll("figure, figcaption, .key")]'
            ".filter((x) => x.scrollWidth > x.clientWidth + 1 && x.clientWidth).length"
        )
        assert await page.evaluate(over) == 0
        page_width = "document.documentElement.scrollWidth"
        assert await page.evaluate(page_width) <= width

    words = ["--workers", "2", "--metrics-bind", "127.0.0.1:0"]
    with serve("hello", *words) as command:
        asyncio.run(visit(browser, command, steps))
