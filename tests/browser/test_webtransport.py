"""A session of WebTransport of a browser (docs/WEBTRANSPORT.md)."""

import asyncio
import base64
import hashlib
import ssl
import sys
from pathlib import Path

import pytest
from chromium import BROWSER, Browser, Page, short_certificate

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS / "cli"))

from command import Command  # noqa: E402

from bolide import _engine  # noqa: E402

websockets = pytest.importorskip("websockets")
APP = """
async def app(scope, receive, send):
    assert scope["type"] == "webtransport"
    await receive()
    await send({"type": "webtransport.accept"})
    while (m := await receive())["type"] != "webtransport.disconnect":
        if m["type"] == "webtransport.datagram.receive":
            await send({"type": "webtransport.datagram.send", "data": m["data"]})
        elif m["type"] == "webtransport.stream.receive":
            message = {"type": "webtransport.stream.send", "stream": m["stream"]}
            last = not m["more_data"]
            await send({**message, "data": m["data"], "end_stream": last})
"""
GO = """
(async () => {
    const value = Uint8Array.from(atob("%s"), c => c.charCodeAt(0));
    const hashes = [{algorithm: "sha-256", value}];
    const options = {serverCertificateHashes: hashes};
    const session = new WebTransport("https://127.0.0.1:%d/", options);
    await session.ready;
    const stream = await session.createBidirectionalStream();
    const writer = stream.writable.getWriter();
    await writer.write(new TextEncoder().encode("a stream"));
    await writer.close();
    let text = await new Response(stream.readable).text();
    const datagrams = session.datagrams.writable.getWriter();
    await datagrams.write(new TextEncoder().encode("a datagram"));
    const reader = session.datagrams.readable.getReader();
    text += ", " + new TextDecoder().decode((await reader.read()).value);
    session.close({closeCode: 7, reason: "bye"});
    document.title = text;
})().catch(error => { document.title = String(error); })
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: make browser installs it")
@pytest.mark.skipif(not _engine.has_http3(), reason="a build without HTTP/3")
def test_a_stream_and_a_datagram_are_echoed(tmp_path):
    cert, key = short_certificate(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(cert.read_text())
    digest = base64.b64encode(hashlib.sha256(der).digest()).decode()
    (tmp_path / "echo_app.py").write_text(APP)
    options = ["--app-dir", str(tmp_path), "--port", "0", "--http3", "--webtransport"]
    options += ["--ssl-certfile", str(cert), "--ssl-keyfile", str(key)]
    options += ["--lifespan", "off"]
    page_path = tmp_path / "page.html"  # a secure context, which about:blank is not
    page_path.write_text("<p>a page</p>")
    browser = Browser(tmp_path / "profile")

    async def run(port):
        async with websockets.connect(browser.new_page(page_path.as_uri())) as socket:
            page = Page(socket)
            await page.until("typeof WebTransport == 'function'")
            await page.evaluate(GO % (digest, port))
            await page.until("document.title")
            return await page.evaluate("document.title")

    try:
        with Command("echo_app:app", *options) as command:
            title = asyncio.run(run(command.port()))
    finally:
        browser.stop()
    assert title == "a stream, a datagram"
