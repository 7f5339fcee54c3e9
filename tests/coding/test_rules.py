"""Which responses are compressed: the tables of docs/COMPRESSION.md.

Covers src/coding/rules.c, src/coding/head.c.
"""

import itertools

import pytest
from coded import TEXT, app_of, ask, gunzip
from serving import Serving

from bolide import Config, _engine
from bolide.config import coding
from bolide.errors import ConfigError

PLAIN = (
    None,
    "",
    "identity",
    "identity;q=0",
    "*;q=0",
    "deflate",
    "gzip;q=0",
    "gzip;q=0.5, identity",
    "gzip;q=2",
    "gzip;q=",
    "gzip;x=1",
    "gzip, gzip;q=0",
)
CODED = (
    "gzip",
    "GZIP",
    "x-gzip",
    "*",
    "gzip;q=0.001",
    "deflate, gzip;q=0.5",
    "br;q=x, gzip",
)


@pytest.mark.parametrize("accept", PLAIN)
def test_a_client_that_accepts_no_coding_gets_the_body_unchanged(accept):
    got = ask(app_of(), accept, settings={"compress_codings": "gzip"})
    assert got.status == 200
    assert got.body == TEXT
    assert got.field("content-encoding") is None
    assert got.field("content-length") == str(len(TEXT))
    assert got.field("vary") == "Accept-Encoding"


@pytest.mark.parametrize("accept", CODED)
def test_a_client_that_accepts_gzip_gets_it(accept):
    got = ask(app_of(), accept, settings={"compress_codings": "gzip"})
    assert got.field("content-encoding") == "gzip"
    assert gunzip(got.body) == TEXT


@pytest.mark.parametrize("accept", ["*;q=0", "identity;q=0, *;q=0", "*;q=0, deflate"])
def test_a_client_that_accepts_nothing_gets_the_body_unchanged(accept):
    """With every coding that is built in."""
    got = ask(app_of(), accept)
    assert (got.status, got.body) == (200, TEXT)
    assert got.field("content-encoding") is None


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["gzip", "snappy", "lz4;q=1"]))
)
def test_codings_that_are_not_known_are_ignored(order):
    got = ask(app_of(), ", ".join(order), settings={"compress_codings": "gzip"})
    assert gunzip(got.body) == TEXT


def test_the_server_prefers_the_first_of_equal_weights():
    names = [x for x in ("gzip", "zstd", "br") if x in _engine.CODINGS]
    for name in names:
        order = [name, *(x for x in names if x != name)]
        got = ask(app_of(), ", ".join(names), settings={"compress_codings": order})
        assert got.field("content-encoding") == name


def test_the_client_prefers_by_weights():
    for name in _engine.CODINGS:
        accept = ", ".join(f"{x};q=0.{9 if x == name else 8}" for x in coding.CODINGS)
        assert ask(app_of(), accept).field("content-encoding") == name


@pytest.mark.parametrize(
    "fields",
    [
        [(b"content-encoding", b"br")],
        [(b"content-encoding", b"identity")],
        [(b"cache-control", b"public, no-transform")],
        [(b"content-range", b"bytes 0-9/10")],
        [(b"content-digest", b"sha-256=:x:")],
        [(b"repr-digest", b"sha-256=:x:")],
        [(b"digest", b"md5=x")],
        [(b"content-md5", b"x")],
        [(b"content-type", b"image/png")],
        [(b"content-type", b"application/octet-stream")],
    ],
)
def test_fields_that_forbid_compression(fields):
    got = ask(app_of(TEXT, *fields, (b"etag", b'"x"')))
    assert got.body == TEXT
    assert got.field("etag") == '"x"'
    assert got.field("vary") is None


@pytest.mark.parametrize("status", [206, 205])
def test_statuses_that_forbid_compression(status):
    got = ask(app_of(TEXT, (b"etag", b'"x"'), status=status))
    assert got.field("content-encoding") is None
    assert got.field("etag") == '"x"'


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(status):
    got = ask(app_of(b"", (b"etag", b'"x"'), status=status, length=False))
    assert got.status == status
    assert got.field("content-encoding") is got.field("vary") is None
    assert got.field("etag") == '"x"'


def test_a_304_confirms_a_weak_tag():
    app = app_of(b"", (b"etag", b'"x"'), status=304, length=False)
    got = ask(app, fields='If-None-Match: W/"x"\r\n')
    assert got.field("etag") == 'W/"x"'
    assert got.field("vary") == "Accept-Encoding"


@pytest.mark.parametrize("status", [201, 404, 422, 500])
def test_other_statuses_are_compressed(status):
    assert gunzip(ask(app_of(status=status)).body) == TEXT


@pytest.mark.parametrize(
    ("kind", "is_coded"),
    [
        (b"text/html; charset=utf-8", True),
        (b"TEXT/CSS", True),
        (b"application/problem+json", True),
        (b"image/svg+xml", True),
        (b"application/javascript", True),
        (b"font/woff2", False),
        (b"video/mp4", False),
        (b"", False),
    ],
)
def test_types_that_are_compressed(kind, is_coded):
    got = ask(app_of(TEXT, (b"content-type", kind)))
    assert (got.field("content-encoding") == "gzip") == is_coded


def test_other_types_can_be_configured():
    got = ask(
        app_of(TEXT, (b"content-type", b"a/b")), settings={"compress_types": "a/*"}
    )
    assert gunzip(got.body) == TEXT


@pytest.mark.parametrize(("n", "is_coded"), [(0, False), (99, False), (100, True)])
def test_a_short_body_is_sent_uncompressed(n, is_coded):
    got = ask(app_of(TEXT[:n]), settings={"compress_min_size": 100})
    assert (got.field("content-encoding") == "gzip") == is_coded
    assert len(gunzip(got.body) if is_coded else got.body) == n


def test_a_short_body_is_compressed_if_nothing_else_is_accepted():
    got = ask(app_of(b"abc"), "gzip, identity;q=0")
    assert gunzip(got.body) == b"abc"


def test_a_body_of_unknown_length_counts_as_long():
    got = ask(app_of(b"abc", length=False))
    assert gunzip(got.body) == b"abc"


@pytest.mark.parametrize(
    ("path", "is_coded"),
    [("/a", False), ("/a/b", False), ("/%61/b", False), ("/ab", True), ("/", True)],
)
def test_paths_can_be_excluded(path, is_coded):
    settings = {"compress": True, "compress_except": "/a,/c"}
    with Serving(app_of(), **settings) as serving:
        got = serving.ask(path, "Accept-Encoding: gzip\r\n")
    assert (got.field("content-encoding") == "gzip") == is_coded
    assert (got.field("vary") == "Accept-Encoding") == is_coded


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (b"Origin", "Origin, Accept-Encoding"),
        (b"accept-encoding", "accept-encoding"),
        (b"*", "*"),
    ],
)
def test_vary_is_merged(given, sent):
    assert ask(app_of(TEXT, (b"vary", given))).field("vary") == sent


def test_a_weak_tag_is_kept():
    assert ask(app_of(TEXT, (b"etag", b'W/"x"'))).field("etag") == 'W/"x"'


def test_wrong_settings_are_rejected():
    for name, value in {
        "compress_codings": "gzip,deflate",
        "compress_types": "html",
        "compress_except": "a",
        "compress_min_size": -1,
        "compress_max_bodies": 0,
        "compress_gzip_level": 10,
        "compress_zstd_level": 10,
        "compress_br_level": 7,
    }.items():
        with pytest.raises(ConfigError, match=name):
            Config(None, compress=True, **{name: value})


def test_a_coding_that_is_not_built_in_is_reported():
    found = coding.check("zstd,gzip", "", "", is_on=True, available=("gzip",))
    assert found.codings == b"gzip"
    assert found.warnings == ["compress_codings: zstd is not built in"]
    assert coding.check("", "", "", is_on=True, available=("gzip",)).warnings == []
    with pytest.raises(ConfigError, match="not built in: zstd"):
        coding.check("zstd", "", "", is_on=True, available=("gzip",))
