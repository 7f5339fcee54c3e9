"""The site builds without a warning, its links work, and it loads nothing else.

``make docs-test`` installs what builds it; without that these tests are skipped.
"""

import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from pages import ROOT

pytest.importorskip("zensical", reason="make docs-test installs zensical")

LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
}
OUTSIDE = ("http", "https", "mailto")


class Page(HTMLParser):
    """The anchors of a page, its links, and the resources it loads."""

    def __init__(self, text):
        super().__init__()
        self.names, self.leads, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names |= {given[x] for x in ("id", "name") if given.get(x)}
        if tag == "a" and given.get("href"):
            self.leads.append(given["href"])
        if given.get("rel") != "canonical" and given.get(LOADS.get(tag, "")):
            self.loads.append(given[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site; return its pages by path."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "site.py"), str(folder)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pages = {x: Page(x.read_text("utf-8")) for x in folder.rglob("*.html")}
    return folder, pages


def target_of(folder, path, link):
    """Return the file and the anchor that a link of the page ``path`` refers to."""
    parts = urlsplit(link)
    base = folder if parts.path.startswith("/") else path.parent
    found = (base / unquote(parts.path.lstrip("/"))).resolve() if parts.path else path
    return found / "index.html" if found.is_dir() else found, unquote(parts.fragment)


def test_each_link_refers_to_an_existing_page_and_anchor(site):
    folder, pages = site
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in page.leads:
            if urlsplit(link).scheme in OUTSIDE:
                continue
            found, name = target_of(folder, path, link)
            assert found.exists(), f"{path}: {link}"
            if name and found in pages:
                assert name in pages[found].names, f"{path}: {link}"


def test_a_page_loads_no_external_resource(site):
    _, pages = site
    for path, page in pages.items():
        for link in page.loads:
            assert urlsplit(link).scheme not in OUTSIDE, f"{path}: {link}"
            assert not link.startswith("//"), f"{path}: {link}"


def test_every_document_is_a_page(site):
    folder, _ = site
    for source in (ROOT / "docs").rglob("*.md"):
        page = folder / source.relative_to(ROOT / "docs").with_suffix(".html")
        assert page.exists(), source


def test_the_api_page_documents_the_public_names(site):
    folder, pages = site
    names = pages[folder / "reference" / "python.html"].names
    assert {"bolide.run", "bolide.Server", "bolide.get_include"} <= names
