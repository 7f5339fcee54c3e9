"""What is stored and then sent without the application, over HTTP/1.1 and HTTP/2.

docs/CACHE.md describes it. Covers src/cache/cache.c and src/cache/fill.c.
"""

import gzip
import re
import time
from urllib.parse import quote

import pytest
import serving as serving_module
from cached import App
from serving import DEADLINE_S, Serving, request

CACHE = {"cache": 4 << 20}


@pytest.fixture(params=["h1", "h2"])
def spoken(request, monkeypatch):
    """Run the tests over both protocols."""
    monkeypatch.setattr(serving_module, "SPOKEN", request.param)


@pytest.fixture
def app():
    """Return an application that counts its calls."""
    return App()


@pytest.fixture
def server(app, spoken):
    """Serve the application with a cache."""
    with Serving(app, **CACHE) as serving:
        yield serving


def target(path="/a", **words):
    """Return a path whose query describes the response."""
    parts = [f"{name}={quote(str(value))}" for name, value in words.items()]
    return path + "?" + "&".join(parts)


def status_of(answer):
    """Return the Cache-Status field."""
    return answer.field("cache-status")


FRESH = target(cc="max-age=60", etag='"1"')


def test_a_fresh_response_is_sent_again(app, server):
    first, second = server.ask(FRESH), server.ask(FRESH)
    assert app.calls == 1
    assert first.body == second.body
    assert status_of(first) == "bolide; fwd=uri-miss; stored"
    assert re.fullmatch(r"bolide; hit; ttl=(60|59)", status_of(second))
    assert second.field("age") in ("0", "1")
    assert first.field("age") is None
    assert second.field("content-length") == str(len(second.body))
    assert second.field("content-type") == "text/plain"
    assert second.field("etag") == '"1"'
    assert len([n for n, _ in second.fields if n == "date"]) == 1
    assert len([n for n, _ in second.fields if n == "server"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"cc": "no-store, max-age=60"},
        {"cc": "private, max-age=60"},
        {"cc": "max-age=60", "h": "set-cookie:a=b"},
        {"cc": "max-age=60", "vary": "*"},
        {"cc": "max-age=0"},
        {"cc": "max-age=60", "age": "60"},
        {"cc": "max-age=60", "h": "content-encoding:x", "vary": "accept-encoding"},
        {"h": "expires:0"},
        {"h": "last-modified:Sun, 06 Nov 1994 08:49:37 GMT"},
    ],
)
def test_a_response_that_may_not_be_stored_is_requested_each_time(app, server, words):
    for calls in (1, 2, 3):
        answer = server.ask(target(**words))
        assert app.calls == calls
        assert status_of(answer) == "bolide; fwd=uri-miss"


@pytest.mark.parametrize("status", [201, 301, 404, 410, 500])
def test_other_statuses_are_stored_with_a_lifetime(app, server, status):
    for _ in range(2):
        assert server.ask(target(cc="max-age=60", status=status)).status == status
    assert app.calls == 1


def test_a_streamed_response_is_stored_as_a_whole(app, server):
    where = target(cc="max-age=60", parts=1, body="one two three")
    assert [server.ask(where).body for _ in range(2)] == [b"one two three"] * 2
    assert app.calls == 1


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 100_000, 1_000_000])
def test_bodies_of_every_size_are_stored(app, server, size):
    where = target(cc="max-age=60", size=size)
    for _ in range(3):
        assert server.ask(where).body == b"x" * size
    assert app.calls == 1


def test_a_response_over_the_limit_is_not_stored(app, spoken):
    with Serving(app, cache_max_entry=1000, **CACHE) as server:
        for size in (1000, 800):
            for _ in range(2):
                assert len(server.ask(target(cc="max-age=60", size=size)).body) == size
    assert app.calls == 3


def test_head_is_answered_from_a_stored_get(app, server):
    server.ask(FRESH)
    got = server.ask(FRESH, method="HEAD")
    assert app.calls == 1
    assert got.body == b""
    assert int(got.field("content-length")) > 0
    server.ask(target("/b", cc="max-age=60"), method="HEAD")
    server.ask(target("/b", cc="max-age=60"))
    assert app.calls == 3  # the response to a HEAD is not stored


def test_conditions_are_answered_by_the_cache(app, server):
    server.ask(FRESH)
    same = server.ask(FRESH, 'If-None-Match: "1"\r\n')
    other = server.ask(FRESH, 'If-None-Match: "2"\r\n')
    assert app.calls == 1
    assert (same.status, same.body) == (304, b"")
    assert same.field("etag") == '"1"'
    assert same.field("content-type") is None
    assert other.status == 200


def test_ranges_are_cut_from_a_stored_response(app, server):
    where = target(cc="max-age=60", body="0123456789")
    passed = server.ask(where, "Range: bytes=0-1\r\n")
    assert (app.calls, passed.status) == (1, 200)  # the application ignores ranges
    server.ask(where)
    assert app.calls == 2  # a response to a range request is not stored
    part = server.ask(where, "Range: bytes=2-4\r\n")
    assert (part.status, part.body) == (206, b"234")
    assert part.field("content-range") == "bytes 2-4/10"
    none = server.ask(where, "Range: bytes=99-\r\n")
    assert (none.status, none.field("content-range")) == (416, "bytes */10")
    assert server.ask(where, "Range: bytes=0-0,2-2\r\n").status == 200
    assert app.calls == 2


def test_variants(app, server):
    where = target(cc="max-age=60", vary="Accept-Language, X-Y")
    english, german = "Accept-Language: en\r\n", "Accept-Language: de\r\n"
    first = server.ask(where, english)
    assert server.ask(where, english).body == first.body
    second = server.ask(where, german)
    assert status_of(second) == "bolide; fwd=vary-miss; stored"
    assert server.ask(where, german).body == second.body
    assert server.ask(where, english).body == first.body
    assert server.ask(where, english + "X-Y: 1\r\n").body not in (
        first.body,
        second.body,
    )
    assert app.calls == 3


def test_equivalent_encodings_are_one_variant(app, server):
    where = target(cc="max-age=60", vary="Accept-Encoding")
    for value in (
        "gzip, br",
        "br,gzip",
        "br;q=1.0, gzip;q=1, sdch",
        "gzip;q=.5x,br,gzip",
    ):
        server.ask(where, f"Accept-Encoding: {value}\r\n")
    assert app.calls == 1
    server.ask(where, "Accept-Encoding: gzip\r\n")
    server.ask(where)
    assert app.calls == 3


def test_requests_with_credentials_are_not_served_from_the_store(app, server):
    secret = "Authorization: Bearer x\r\n"
    for calls in (1, 2):
        server.ask(FRESH, secret)
        assert app.calls == calls
    server.ask(FRESH)
    server.ask(FRESH, secret)
    assert app.calls == 4  # a stored response is not sent to requests with credentials
    public = target("/b", cc="public, max-age=60")
    for _ in range(2):
        server.ask(public, secret)
        server.ask(public)
    assert app.calls == 5


def test_requests_with_a_body_or_a_partial_state_bypass_the_cache(app, server):
    server.ask(FRESH)
    server.ask(FRESH, body=b"x")
    server.ask(FRESH, 'If-Match: "1"\r\n')
    server.ask(FRESH, method="OPTIONS")
    assert app.calls == 4
    server.ask(FRESH)
    assert app.calls == 4


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unsafe_request_removes_the_stored_response(app, server, method):
    server.ask(FRESH)
    app.override = {"status": "500"}
    server.ask(FRESH, method=method)
    app.override = {}
    server.ask(FRESH)
    assert app.calls == 2  # it has failed
    server.ask(FRESH, method=method)
    server.ask(FRESH)
    assert app.calls == 4


def test_an_unsafe_request_removes_responses_its_location_names(app, server):
    where = [target(f"/{x}", cc="max-age=60") for x in "abcd"]
    for x in where:
        server.ask(x)
    for name, value in (
        ("location", where[1]),
        ("content-location", "http://a" + where[2]),
        ("location", "http://b" + where[3]),
    ):
        app.override = {"h": f"{name}:{value}", "status": "201"}
        server.ask("/post", method="POST")
    app.override = {}
    calls = app.calls
    for x in where:
        server.ask(x)
    assert app.calls == calls + 2  # the last one is on another host


def test_hosts_and_queries_are_parts_of_the_key(app, server):
    server.ask("/a?cc=max-age%3D60")
    server.ask("/a?cc=max-age%3D60&b")
    server.ask("/a?cc=max-age%3D60", "Host: b\r\n")
    server.ask("/A?cc=max-age%3D60")
    assert app.calls == 4
    server.ask("/a?cc=max-age%3D60", "Host: B\r\n")
    assert app.calls == 4


def test_a_client_cannot_force_a_miss(app, server):
    server.ask(FRESH)
    for field in (
        "Cache-Control: no-cache",
        "Pragma: no-cache",
        "Cache-Control: no-store",
    ):
        server.ask(FRESH, field + "\r\n")
    assert app.calls == 1
    assert server.ask(target("/b"), "Cache-Control: only-if-cached\r\n").status == 200


def test_a_client_can_force_a_miss_if_configured(app, spoken):
    with Serving(app, cache_obey_clients=True, **CACHE) as server:
        where = target(cc="max-age=60")
        assert server.ask(where, "Cache-Control: only-if-cached\r\n").status == 504
        server.ask(where, "Cache-Control: no-store\r\n")
        assert app.calls == 1
        server.ask(where)
        assert app.calls == 2  # it was not stored
        assert server.ask(where, "Cache-Control: only-if-cached\r\n").status == 200
        server.ask(where, "Cache-Control: no-cache\r\n")
        assert app.calls == 3
        server.ask(where, "Cache-Control: min-fresh=90\r\n")
        assert app.calls == 4
        server.ask(where, "Cache-Control: max-age=30\r\n")
        assert app.calls == 4


def test_a_path_may_have_a_lifetime(app, spoken):
    paths = ["/api/=60", "/=0"]
    with Serving(app, cache_paths=paths, **CACHE) as server:
        for _ in range(2):
            server.ask(target("/api/x"))
            server.ask(target("/other"))
            server.ask(target("/api/y", cc="private"))
        assert app.calls == 5
        server.ask(target("/api/x"), "Cookie: a=b\r\n")
        assert app.calls == 5
        server.ask(target("/api/z"), "Cookie: a=b\r\n")
        server.ask(target("/api/z"))
        assert app.calls == 7


def ask_until(server, where, wanted):
    """Send requests until ``wanted(answer)``; return that response."""
    end = time.monotonic() + DEADLINE_S
    while not wanted(answer := server.ask(where)):
        assert time.monotonic() < end, answer.fields
        time.sleep(0.05)
    return answer


def test_a_stale_response_is_validated(app, server):
    where = target(cc="max-age=1", etag='"1"', body="as it was")
    assert server.ask(where).body == b"as it was"
    again = ask_until(server, where, lambda x: "hit" not in status_of(x))
    assert (again.status, again.body) == (200, b"as it was")
    assert status_of(again) == "bolide; fwd=stale; fwd-status=304"
    assert dict(app.scopes[-1]["headers"])[b"if-none-match"] == b'"1"'
    assert "hit" in status_of(server.ask(where))  # it is fresh again
    app.override = {"etag": '"2"', "body": "new"}
    new = ask_until(server, where, lambda x: "hit" not in status_of(x))
    assert (new.status, new.body) == (200, b"new")
    assert status_of(new) == "bolide; fwd=stale; stored"
    assert server.ask(where).body == b"new"


def test_no_cache_is_validated_each_time(app, server):
    where = target(cc="no-cache", etag='"1"', body="same")
    for calls in (1, 2, 3):
        assert server.ask(where).body == b"same"
        assert app.calls == calls
    mine = server.ask(where, 'If-None-Match: "1"\r\n')
    assert (mine.status, mine.body) == (304, b"")
    assert app.calls == 4


def test_a_stale_response_covers_a_failure(app, server):
    where = target(cc="max-age=0, stale-if-error=60", body="good")
    assert server.ask(where).body == b"good"
    for failure in ({"status": "503"}, {"status": "500"}):
        app.override = failure | {"body": "bad"}
        got = server.ask(where)
        assert (got.status, got.body) == (200, b"good")
        assert status_of(got) == "bolide; fwd=stale; fwd-status=" + failure["status"]
    app.override = {"status": "404", "body": "none", "cc": "no-store"}
    assert server.ask(where).body == b"none"
    app.override = {}
    app.fails = True
    got = server.ask(where)
    assert (got.status, got.body) == (200, b"good")
    app.fails = False
    assert server.ask(where).body == b"good"


def test_a_failure_is_not_covered_without_permission(app, server):
    where = target(cc="max-age=0", etag='"1"')
    server.ask(where)
    app.override = {"status": "503"}
    assert server.ask(where).status == 503
    app.fails = True
    assert server.ask(where).status == 500


def test_the_field_can_be_left_out(app, spoken):
    with Serving(app, cache_status=False, **CACHE) as server:
        for _ in range(2):
            assert status_of(server.ask(FRESH)) is None
    assert app.calls == 1


def test_nothing_is_stored_without_the_option(app, spoken):
    with Serving(app) as server:
        for _ in range(2):
            assert status_of(server.ask(FRESH)) is None
    assert app.calls == 2


def test_a_truncated_response_is_never_stored():
    calls = 0

    async def app(scope, receive, send):
        nonlocal calls
        calls += 1
        fields = [(b"cache-control", b"max-age=60"), (b"content-length", b"10")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        if calls == 1:
            raise RuntimeError("in the middle")
        await send({"type": "http.response.body", "body": b"67890"})

    with Serving(app, **CACHE) as server:
        assert not server.ask("/").is_whole
        assert server.ask("/").body == b"1234567890"
        assert server.ask("/").body == b"1234567890"
    assert calls == 2


def test_pipelined_responses_keep_their_order(app):
    with Serving(app, **CACHE) as server:
        first = server.ask(FRESH).body
        data = server.talk(
            request(FRESH)
            + request(target("/b"))
            + request(FRESH, "Connection: close\r\n")
        )
        bodies = re.findall(rb"\r\n\r\n(\d+ \d+)", data)
    assert bodies == [first, bodies[1], first]
    assert bodies[1] != first


def test_a_compressed_response_is_stored_compressed(app, spoken):
    settings = {"compress": True, "compress_codings": "gzip", **CACHE}
    with Serving(app, **settings) as server:
        where = target(cc="max-age=60", size=5000)
        for accepted in ("gzip", "gzip, unknown"):
            got = server.ask(where, f"Accept-Encoding: {accepted}\r\n")
            assert got.field("content-encoding") == "gzip"
            assert gzip.decompress(got.body) == b"x" * 5000
        assert app.calls == 1
        for _ in range(2):
            got = server.ask(where)
            assert (got.field("content-encoding"), got.body) == (None, b"x" * 5000)
        assert app.calls == 2
