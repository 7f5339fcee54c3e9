"""Directories with files, and the protocols over which they are served."""

import os
import sys
from pathlib import Path

import pytest

for folder in ("asgi", "cli", "tls"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

OLD = 784111777
"""Sun, 06 Nov 1994 08:49:37 GMT."""


@pytest.fixture(scope="session")
def localhost(tmp_path_factory):
    """A certificate for localhost, and who issued it."""
    from authority import Authority

    authority = Authority(tmp_path_factory.mktemp("authority"), "Tests")
    return authority, authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(params=["h1", "h2", "tls"])
def site(request, tmp_path, localhost):
    """The directory of docs/STATIC.md, served over each protocol."""
    from fetching import Site

    return Site(make_files(tmp_path), request.param, localhost)


@pytest.fixture
def plain_site(tmp_path, localhost):
    """The same over HTTP/1.1 alone."""
    from fetching import Site

    return Site(make_files(tmp_path), "h1", localhost)


def make_files(folder):
    """Create the files of docs/STATIC.md; return their directory."""
    root = folder / "public"
    for name in ("sub", "bare", ".git"):
        (root / name).mkdir(parents=True)
    texts = {
        "hello.txt": "hello",
        "sub/index.html": "<p>sub",
        "bare/x": "x",
        ".env": "secret",
        ".git/config": "secret",
        "../secret": "secret",
        "app.3f2a9c1b.js": "let a",
    }
    for name, text in texts.items():
        (root / name).write_text(text)
        os.utime(root / name, (OLD, OLD))
    (root / "outside").symlink_to("../secret")
    (root / "absolute").symlink_to(root / "hello.txt")
    (root / "inside").symlink_to("hello.txt")
    (root / "proc").symlink_to("/proc")
    os.mkfifo(root / "fifo")
    return root
