"""The chat page over TLS: HTTP/2 by ALPN, a WebSocket over TLS, and the redirect."""

import asyncio
import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import BROWSER, Browser, Page

TESTS = Path(__file__).parent.parent
CHAT = TESTS.parent / "examples" / "chat"
for folder in "cli", "tls":
    sys.path.insert(0, str(TESTS / folder))

from authority import Authority  # noqa: E402
from command import Command  # noqa: E402

websockets = pytest.importorskip("websockets")
CONNECTED = 'document.getElementById("state")?.textContent == "connected"'
PROTOCOL = 'performance.getEntriesByType("navigation")[0].nextHopProtocol'


def spki_of(cert):
    """Return the identifier of a key in Chromium: its digest in base 64."""
    words = ["openssl", "x509", "-in", str(cert), "-noout", "-pubkey"]
    pem = subprocess.run(words, capture_output=True, check=True).stdout
    lines = pem.decode().split("\n")[1:-2]
    digest = hashlib.sha256(base64.b64decode("".join(lines))).digest()
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize("words", [(), ("--no-http2",)])
def test_a_page_is_shown_over_tls(tmp_path, words):
    if BROWSER is None:
        pytest.skip("no Chromium: make browser installs it")
    folder = tmp_path / "authority"
    folder.mkdir()
    pair = Authority(folder, "Tests").issue("localhost", "DNS:localhost,IP:127.0.0.1")
    trust = f"--ignore-certificate-errors-spki-list={spki_of(pair.cert)}"
    browser = Browser(tmp_path / "profile", trust)
    command = ["plain:app", "--port", "0", "--app-dir", str(CHAT), *pair.words()]
    try:
        with Command(*command, "--redirect-http", "0", *words) as served:
            secure, plain = served.where().split(", ")
            asyncio.run(look_at(browser, secure, "http/1.1" if words else "h2"))
            asyncio.run(look_at(browser, plain, "http/1.1" if words else "h2"))
    finally:
        browser.stop()


async def look_at(browser, url, protocol):
    """Open a page and wait until its WebSocket is open."""
    async with websockets.connect(browser.new_page(url)) as socket:
        page = Page(socket)
        await page.until(CONNECTED)
        assert await page.evaluate("location.protocol") == "https:"
        assert await page.evaluate(PROTOCOL) == protocol
        await page.close()
