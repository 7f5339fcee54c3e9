"""The pages of docs/migration: complete tables, and examples that respond the same."""

import http.client
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import time

import pytest
from pages import DEADLINE_S, ROOT, Reader, blocks_of

SERVERS = ("uvicorn", "gunicorn", "hypercorn", "daphne", "granian")
NAME = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
ROW = re.compile(r"^\| (`-[^|]*)\|", re.M)
REQUESTS = (
    ("GET", "/", b""),
    ("GET", "/a%20b/?x=1", b""),
    ("POST", "/echo", b"x" * 100_000),
    ("HEAD", "/", b""),
    ("DELETE", "/one", b""),
)


def page_of(server):
    """Return the page, if the version that it is for is installed."""
    page = ROOT / "docs" / "migration" / f"{server}.md"
    version = re.search(rf"is\s+for\s+{server}\s+([\d.]+\d)", page.read_text("utf-8"))[
        1
    ]
    try:
        found = importlib.metadata.version(server)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{server} is not installed: make docs-test installs it")
    if not f"{found}.".startswith(f"{version}."):
        pytest.skip(f"the page is for {server} {version}, {found} is installed")
    return page


def section(page, heading):
    """Return the text of a section of the page."""
    return (
        page.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    )


def options_of(server):
    """Return the option names in the help of ``server``."""
    text = subprocess.run(
        [sys.executable, "-m", server, "--help"],
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    entries = [re.split(r"\s{2,}", x[2:])[0] for x in re.findall(r"^  -.*", text, re.M)]
    return {name for entry in entries for name in NAME.findall(entry)}


@pytest.mark.parametrize("server", SERVERS)
def test_the_table_has_every_option_of_the_other_server(server):
    page = page_of(server)
    names = [
        name
        for cell in ROW.findall(section(page, "Options"))
        for name in re.findall(r"`(-[^`]*)`", cell)
    ]
    assert len(names) > 15
    assert set(names) == options_of(server)
    assert len(names) == len(set(names))


def ask(port, method, path, body):
    """Return a response as a client receives it, without the fields of the server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        kind = response.headers["content-type"]
        return response.status, kind, response.headers["x-served-by"], response.read()
    finally:
        connection.close()


def responses_of(command, reader):
    """Start a server with its command, send requests, stop it; return the responses."""
    port = int(reader.ports["8000"])
    words = shlex.split(reader.moved(command))
    with reader.log.open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=reader.folder,
            env=reader.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + DEADLINE_S
        while True:
            assert time.monotonic() < end and server.poll() is None, reader.printed()
            try:
                ask(port, "GET", "/", b"")
                break
            except OSError:
                time.sleep(0.05)
        return [ask(port, *request) for request in REQUESTS]
    finally:
        server.terminate()
        server.wait(DEADLINE_S)


@pytest.mark.parametrize("server", SERVERS)
def test_both_commands_of_the_example_give_the_same_responses(
    server, tmp_path, monkeypatch
):
    page = page_of(server)
    blocks = [x for x in blocks_of(page) if x.title or x.kind == "sh"]
    source = next(x for x in blocks if x.title == "app.py")
    old, new = (x.text for x in blocks[blocks.index(source) + 1 :][:2])
    assert old.startswith(f"{server} ") and new.startswith("bolide ")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Reader(tmp_path) as reader:
        reader.write(source)
        expected = responses_of(old, reader)
        assert [status for status, *_ in expected] == [200] * len(REQUESTS)
        assert responses_of(new, reader) == expected
