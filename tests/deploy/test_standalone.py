"""deploy/standalone: TLS, HTTP/2, files, compression and a cache without a proxy."""

import asyncio
import gzip
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import DEADLINE_S, Command

TESTS = Path(__file__).parents[1]
STANDALONE = TESTS.parent / "deploy" / "standalone"
for folder in "tls", "browser":
    sys.path.insert(0, str(TESTS / folder))

from authority import Authority  # noqa: E402
from chromium import BROWSER, Browser, Page  # noqa: E402
from test_tls_page import spki_of  # noqa: E402

for package in "django", "fastapi", "httpx", "websockets":
    pytest.importorskip(package)
HASHED = "/static/prices.3f2a9c1b.js"
FAR = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A certificate for localhost."""
    folder = tmp_path_factory.mktemp("authority")
    return Authority(folder, "Tests").issue("localhost", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="module")
def site(pair):
    """The site as it is deployed, on other ports and with another certificate."""
    words = ["--config", "bolide.toml", "main:app", "--workers", "2"]
    words += ["--bind", "127.0.0.1:0", "--redirect-http", "0"]
    words += ["--metrics-bind", "127.0.0.1:0", *pair.words()]
    with Command(*words, cwd=STANDALONE) as command:
        where = re.search(
            r"listening on (https://\S+), (http://\S+) ", listening(command)
        )
        yield where.group(1).replace("127.0.0.1", "localhost"), where.group(2)


def listening(command):
    """Return the text of the line that says where the server listens."""
    line = command.err.line_with(" listening on https")
    return json.loads(line)["message"]


def curl(*words):
    """Run curl; return the fields in lower case with the status line, and the body."""
    done = subprocess.run(
        ["curl", "-sk", "-D-", *words], capture_output=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = {n.lower(): v for n, _, v in (x.partition(": ") for x in lines)}
    return first, fields, body


def test_the_settings_name_what_the_page_of_deployment_promises():
    settings = tomllib.loads((STANDALONE / "bolide.toml").read_text())
    wanted = {"ssl_certfile", "redirect_http", "hsts", "static", "compress", "cache"}
    assert wanted <= set(settings)


def test_http_is_redirected_and_https_is_remembered(site):
    secure, plain = site
    first, fields, _ = curl(f"{plain}/api/prices?x=1")
    assert first.startswith("HTTP/1.1 308")
    assert fields["location"].startswith("https://")
    assert fields["location"].endswith("/api/prices?x=1")
    first, fields, _ = curl(secure)
    assert first.startswith("HTTP/2 200")
    assert fields["strict-transport-security"] == "max-age=31536000"


def test_files_are_compressed_and_kept_by_browsers(site):
    for path, kept in ((HASHED, FAR), ("/static/site.css", "public, max-age=3600")):
        _, fields, body = curl(site[0] + path)
        assert fields["cache-control"] == kept
        assert body == (STANDALONE / "public" / path.split("/")[-1]).read_bytes()
        tag = fields["etag"]
        first, fields, _ = curl("-H", f"If-None-Match: {tag}", site[0] + path)
        assert first.startswith("HTTP/2 304")
    first, _, _ = curl("--path-as-is", site[0] + "/static/../main.py")
    assert " 404" in first


def test_the_api_is_compressed_and_stored_as_it_allows(site):
    url = site[0] + "/api/prices"
    _, fields, body = curl("-H", "Accept-Encoding: gzip", url)
    assert fields["content-encoding"] == "gzip"
    assert "accept-encoding" in fields["vary"].lower()
    assert len(json.loads(gzip.decompress(body))) == 500
    found = [curl("-H", "Accept-Encoding: gzip", url)[1] for _ in range(5)]
    assert all("hit" in x["cache-status"] for x in found), "by both workers"
    for _ in range(2):
        _, fields, _ = curl(site[0] + "/api/me")
        assert "hit" not in fields["cache-status"]


def test_a_load_is_served_whole(site):
    """Many clients, both applications, files and the cache at once."""
    import httpx

    async def ask(client, path):
        response = await client.get(site[0] + path)
        return response.status_code

    async def load():
        paths = ["/", HASHED, "/static/site.css", "/api/prices", "/api/me"] * 100
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(
            http2=True, verify=False, limits=limits, timeout=DEADLINE_S
        ) as client:
            return await asyncio.gather(*(ask(client, path) for path in paths))

    assert set(asyncio.run(load())) == {200}


RESOURCES = """JSON.stringify(
    [...performance.getEntriesByType("navigation"),
     ...performance.getEntriesByType("resource")].map((x) => ({
        name: new URL(x.name).pathname, protocol: x.nextHopProtocol,
        sent: x.encodedBodySize, whole: x.decodedBodySize, moved: x.transferSize})))"""


def test_a_browser_gets_everything_compressed_and_once(site, pair, tmp_path):
    """What Lighthouse looks at: HTTP/2, text compression, and long cache lifetimes."""
    if BROWSER is None:
        pytest.skip("no Chromium: make browser installs it")
    trust = f"--ignore-certificate-errors-spki-list={spki_of(pair.cert)}"
    browser = Browser(tmp_path / "profile", trust)
    try:
        first, second = (asyncio.run(look_at(browser, site[0])) for _ in range(2))
    finally:
        browser.stop()
    assert set(first) == {"/", HASHED, "/static/site.css", "/api/prices"}
    for x in first.values():
        assert x["protocol"] == "h2"
    assert first["/api/prices"]["sent"] < first["/api/prices"]["whole"] / 2
    for path in (HASHED, "/static/site.css"):
        assert second[path]["moved"] == 0, "the browser has kept it"


async def look_at(browser, url):
    """Open the page in a new tab; return the facts of each of its resources."""
    import websockets

    async with websockets.connect(browser.new_page(url + "/")) as socket:
        page = Page(socket)
        await page.until("document.getElementById('prices')?.dataset.isComplete")
        found = json.loads(await page.evaluate(RESOURCES))
        await page.close()
    return {x["name"]: x for x in found if "favicon" not in x["name"]}
