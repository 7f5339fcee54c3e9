"""Applications whose responses are compressed, and clients that accept it."""

import shutil
import subprocess
import zlib

import pytest
from serving import DEADLINE_S, Serving, answer

from bolide import _engine

TEXT = b"".join(b"%d: the quick brown fox jumps over it\n" % i for i in range(500))
"""A body that is compressed."""

JSON = (b"content-type", b"application/json")

CODINGS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name not in _engine.CODINGS, reason=f"{name} is not built in"
        ),
    )
    for name in ("zstd", "br", "gzip")
]


def app_of(body=TEXT, *fields, status=200, length=True):
    """Return an application that responds with a body in one message."""
    sized = [(b"content-length", b"%d" % len(body))] if length else []

    async def app(scope, receive, send):
        headers = [*fields] if b"content-type" in dict(fields) else [JSON, *fields]
        await answer(send, body, status=status, headers=[*headers, *sized])

    return app


def ask(app, accept="gzip", **kwargs):
    """Return the Answer of a compressing server to a client that accepts it."""
    settings = kwargs.pop("settings", {})
    fields = kwargs.pop("fields", "")
    if accept is not None:
        fields += f"Accept-Encoding: {accept}\r\n"
    with Serving(app, compress=True, **settings) as serving:
        return serving.ask(fields=fields, **kwargs)


def gunzip(data):
    """Return the decompressed ``data``, which must be complete."""
    decoder = zlib.decompressobj(31)
    text = decoder.decompress(data)
    assert decoder.eof and not decoder.unused_data
    return text


def curl(serving, *words, scheme="http", authority=None):
    """Return curl's output, decoded by curl."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    trusted = ["--cacert", str(authority.cert)] if authority else []
    url = f"{scheme}://localhost:{serving.place[1]}/"
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", *trusted, *words, url],
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    ).stdout


def fields_of(written):
    """Return the fields in curl's output, and the body."""
    head, _, body = written.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return {n.decode().lower(): v.strip().decode() for n, _, v in lines}, body
