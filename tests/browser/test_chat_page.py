"""The chat page in two tabs of a browser."""

import asyncio
import sys
from pathlib import Path

import pytest
from chromium import BROWSER, Browser, Page

TESTS = Path(__file__).parent.parent
CHAT = TESTS.parent / "examples" / "chat"
sys.path.insert(0, str(TESTS / "cli"))

from command import Command  # noqa: E402

websockets = pytest.importorskip("websockets")
SAY = """
document.getElementById("text").value = "hello from one";
document.getElementById("form").requestSubmit();
"""
STATE = 'document.getElementById("state")?.textContent == "connected"'


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Start a browser; skip if there is none."""
    if BROWSER is None:
        pytest.skip("no Chromium: make browser installs it")
    running = Browser(tmp_path_factory.mktemp("profile"))
    yield running
    running.stop()


@pytest.fixture
def serve():
    """Yield a function that serves a target of examples/chat and returns its
    address.
    """
    commands = []

    def start(target):
        words = [target, "--port", "0", "--app-dir", str(CHAT)]
        command = Command(*words)
        commands.append(command.__enter__())
        return f"http://127.0.0.1:{command.port()}"

    yield start
    for command in commands:
        command.__exit__(None, None, None)


def said(text):
    """Return an expression that is true once a page shows ``text``."""
    return f'document.getElementById("said").textContent.includes("{text}")'


@pytest.mark.parametrize("target", ["plain:app", "on_starlette:app"])
def test_a_message_from_one_tab_is_shown_in_the_other(browser, serve, target):
    url = serve(target)

    async def run():
        places = [browser.new_page(url) for _ in range(2)]
        async with (
            websockets.connect(places[0]) as one,
            websockets.connect(places[1]) as two,
        ):
            first, second = Page(one), Page(two)
            await first.until(STATE)
            await second.until(STATE)
            await first.evaluate(SAY)
            await first.until(said(": hello from one"))
            await second.until(said(": hello from one"))
            await first.close()
            await second.until(said("has gone"))
            await second.close()

    asyncio.run(run())
