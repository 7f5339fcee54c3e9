"""Group G: early hints (G20, G21) and trailers (G22 to G26), over both protocols.

Covers src/asgi/http/extensions.c.
"""

import asyncio
import threading

import pytest
from serving import DEADLINE_S, Serving, answer, read_all, request
from talking_h2 import talk

TE = "TE: trailers\r\nConnection: TE\r\n"
CLOSE = "Connection: close\r\n"
START = {"type": "http.response.start", "status": 200, "trailers": True}
BODY = {"type": "http.response.body", "body": b"body"}
TRAILERS = {"type": "http.response.trailers"}
PROTOCOLS = pytest.mark.parametrize("protocol", ["h1", "h2"])


def served(send_all, protocol, te=True, method="GET", **settings):
    """Return status, body and trailers of the response, and the log."""

    async def app(scope, receive, send):
        await send_all(send)

    with Serving(app, **settings) as serving:
        ask = over_h1 if protocol == "h1" else over_h2
        return *ask(serving, te, method), serving.log


def over_h1(serving, te, method):
    data = serving.talk(request("/", CLOSE + TE * te, method=method))
    status = int(data.split(b" ")[1])
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return status, rest, None
    body, _, trailers = rest.partition(b"0\r\n")
    pairs = [tuple(x.split(b": ")) for x in trailers.split(b"\r\n") if x]
    assert trailers.endswith(b"\r\n") and trailers.count(b"\r\n") == len(pairs) + 1
    size, _, body = body.partition(b"\r\n")
    assert int(size, 16) == len(body) - 2
    return status, body[:-2], pairs


def over_h2(serving, te, method):
    with talk(serving) as client:
        stream = client.get(fields=[("te", "trailers")] if te else [])
        assert stream.ended
        found = stream.trailers
        pairs = found and [(n.encode(), v.encode()) for n, v in found]
        return stream.status, stream.body, pairs


@PROTOCOLS
def test_G22_trailers_follow_the_body(protocol):
    async def send_all(send):
        await send(START)
        await send(BODY)
        await send({**TRAILERS, "headers": [(b"X-Sum", b"1"), (b"x-more", b"2")]})

    status, body, trailers, log = served(send_all, protocol)
    assert (status, body) == (200, b"body")
    assert [(n.lower(), v) for n, v in trailers] == [
        (b"x-sum", b"1"),
        (b"x-more", b"2"),
    ]
    assert log.exceptions == [] and log.errors() == []


@PROTOCOLS
def test_G22_trailers_follow_a_body_that_was_streamed(protocol):
    async def send_all(send):
        await send(START)
        await send({**BODY, "body": b"", "more_body": True})
        await asyncio.sleep(0.01)
        await send(BODY)
        await asyncio.sleep(0.01)
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})

    assert served(send_all, protocol)[:3] == (200, b"body", [(b"x-sum", b"1")])


@PROTOCOLS
def test_G22_trailers_may_be_empty(protocol):
    async def send_all(send):
        await send(START)
        await send(BODY)
        await send(TRAILERS)

    status, body, trailers, log = served(send_all, protocol)
    assert (status, body) == (200, b"body") and not trailers
    assert log.exceptions == [] and log.errors() == []


@PROTOCOLS
def test_G22_the_extension_is_in_the_scope(protocol):
    seen = []

    async def app(scope, receive, send):
        seen.append(dict(scope["extensions"]))
        scope["extensions"]["http.response.trailers"]["mine"] = 1
        scope["extensions"]["mine"] = 1
        await answer(send)

    with Serving(app) as serving:
        for _ in range(2):
            (over_h1 if protocol == "h1" else over_h2)(serving, True, "GET")
    names = {"http.response.early_hint", "http.response.trailers"}
    assert all(names <= set(x) and "mine" not in x for x in seen)
    assert seen[1]["http.response.trailers"] in ({}, {"mine": 1})
    assert seen[0]["http.response.trailers"] is not seen[1]["http.response.trailers"]


@PROTOCOLS
def test_G23_without_te_only_http_2_has_trailers(protocol):
    async def send_all(send):
        await send(START)
        await send(BODY)
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})

    status, body, trailers, log = served(send_all, protocol, te=False)
    assert (status, body) == (200, b"body")
    assert (trailers or []) == ([(b"x-sum", b"1")] if protocol == "h2" else [])
    assert log.exceptions == [] and log.errors() == []


def test_G23_a_response_with_a_content_length_has_no_trailers_in_http_1():
    async def send_all(send):
        await send({**START, "headers": [(b"content-length", b"4")]})
        await send(BODY)
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})

    assert served(send_all, "h1")[:3] == (200, b"body", None)
    assert served(send_all, "h2")[:3] == (200, b"body", [(b"x-sum", b"1")])


def test_G23_http_1_0_has_no_trailers():
    async def app(scope, receive, send):
        assert "http.response.trailers" not in scope["extensions"]
        await send(START)
        await send(BODY)
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})

    with Serving(app) as serving:
        data = serving.talk(request("/", TE, version="1.0"))
    assert data.endswith(b"\r\n\r\nbody") and b"x-sum" not in data
    assert serving.log.exceptions == []


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_G23_a_response_without_a_body_has_no_trailers(method):
    async def app(scope, receive, send):
        await send({**START, "status": 200 if method == "HEAD" else 204})
        await send(BODY)
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})

    with Serving(app) as serving:
        data = serving.talk(request("/", TE, method=method) + request(fields=CLOSE))
    assert data.count(b"HTTP/1.1 20") == 2 and b"x-sum" not in data


@PROTOCOLS
def test_G24_a_response_is_not_complete_before_its_trailers(protocol):
    heard, go = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        await send(START)
        await send(BODY)
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0.05)
        assert not waiting.done() or waiting.result()["type"] == "http.request"
        heard.set()
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})
        assert (await receive())["type"] == "http.disconnect"
        await send({**TRAILERS, "headers": [(b"x-late", b"1")]})

    with Serving(app) as serving:
        if protocol == "h1":
            with serving.connect() as sock:
                sock.sendall(request("/", TE + CLOSE))
                assert heard.wait(DEADLINE_S)
                go.set()
                assert read_all(sock).endswith(b"\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n")
        else:
            with talk(serving) as client:
                stream = client.ask(
                    [
                        (":method", "GET"),
                        (":scheme", "http"),
                        (":authority", "a"),
                        (":path", "/"),
                        ("te", "trailers"),
                    ]
                )
                found = client.streams[stream]
                client.until(lambda: found.body)
                assert heard.wait(DEADLINE_S) and not found.ended
                go.set()
                assert client.finish(stream).trailers == [("x-sum", "1")]
    assert serving.log.exceptions == []


@PROTOCOLS
def test_G24_a_response_without_the_promised_trailers_is_incomplete(protocol):
    async def app(scope, receive, send):
        await send(START)
        await send(BODY)
        await asyncio.sleep(0.01)

    with Serving(app) as serving:
        if protocol == "h1":
            assert not serving.talk(request("/", TE)).endswith(b"0\r\n\r\n")
        else:
            with talk(serving) as client:
                assert client.get(fields=[("te", "trailers")]).reset is not None
    assert serving.log.errors() or serving.log.exceptions


@PROTOCOLS
def test_G25_trailers_may_be_sent_in_parts(protocol):
    async def send_all(send):
        await send(START)
        await send(BODY)
        for n in (b"1", b"2"):
            pairs = [(b"x-" + n, n)]
            await send({**TRAILERS, "headers": pairs, "more_trailers": True})
        await send({**TRAILERS, "headers": [(b"x-3", b"3")], "more_trailers": False})

    trailers = served(send_all, protocol)[2]
    assert trailers == [(b"x-1", b"1"), (b"x-2", b"2"), (b"x-3", b"3")]


@pytest.mark.parametrize(
    "name",
    [
        b"content-length",
        b"Transfer-Encoding",
        b"host",
        b"trailer",
        b"te",
        b"connection",
        b"content-type",
        b"content-encoding",
        b"content-range",
        b"authorization",
        b"set-cookie",
        b"www-authenticate",
        b"cache-control",
        b":status",
        b"",
        b"x y",
    ],
    ids=repr,
)
@PROTOCOLS
def test_G26_an_invalid_trailer_raises(protocol, name):
    async def send_all(send):
        await send(START)
        await send(BODY)
        for more in (False, True):
            with pytest.raises(ValueError):
                message = {**TRAILERS, "headers": [(b"x-fine", b"1"), (name, b"1")]}
                await send({**message, "more_trailers": more})
        await send({**TRAILERS, "headers": [(b"x-sum", b"1")]})

    assert served(send_all, protocol)[2] == [(b"x-sum", b"1")]


def test_G26_a_trailer_value_with_a_line_break_raises():
    async def send_all(send):
        await send(START)
        await send(BODY)
        with pytest.raises(ValueError, match="control character"):
            await send({**TRAILERS, "headers": [(b"x-sum", b"1\r\nx-evil: 1")]})
        await send(TRAILERS)

    assert served(send_all, "h1")[:2] == (200, b"body")


@pytest.mark.parametrize(
    "messages",
    [[TRAILERS], [START, TRAILERS], [{**START, "trailers": False}, TRAILERS]],
    ids=["first", "before the body", "not promised"],
)
def test_trailers_out_of_order_raise(messages):
    async def send_all(send):
        for message in messages[:-1]:
            await send(message)
        with pytest.raises(RuntimeError, match="trailers"):
            await send(messages[-1])
        if len(messages) == 1:
            await send({**START, "trailers": False})
        await send(BODY)
        if messages[0] is START:
            with pytest.raises(RuntimeError, match="after the last one"):
                await send(BODY)
            await send(TRAILERS)

    status, body, _, log = served(send_all, "h1")
    assert (status, body) == (200, b"body")
    assert log.exceptions == [] and log.errors() == []


HINT = {"type": "http.response.early_hint"}
LINKS = [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]


async def hints(scope, receive, send):
    """Send two hints, respond, and send a hint too late."""
    await send({**HINT, "links": LINKS})
    await send({**HINT, "links": [b"</c>"]})
    await send({**HINT, "links": []})
    await send({"type": "http.response.start", "status": 200})
    await send({**HINT, "links": [b"</late>"]})
    await send({"type": "http.response.body", "body": b"body"})
    await send({**HINT, "links": [b"</later>"]})


def test_G20_early_hints_are_sent_before_the_response():
    with Serving(hints) as serving:
        data = serving.talk(request(fields=CLOSE))
    first, second, head, body = data.split(b"\r\n\r\n")
    assert first.split(b"\r\n") == [
        b"HTTP/1.1 103 Early Hints",
        *(b"link: " + x for x in LINKS),
    ]
    assert second.split(b"\r\n") == [b"HTTP/1.1 103 Early Hints", b"link: </c>"]
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == b"body"
    assert serving.log.exceptions == []


def test_G20_early_hints_are_sent_over_http_2():
    with Serving(hints) as serving, talk(serving) as client:
        stream = client.get()
    assert [[tuple(f) for f in x] for x in stream.interim] == [
        [(":status", "103"), *(("link", x.decode()) for x in LINKS)],
        [(":status", "103"), ("link", "</c>")],
    ]
    assert (stream.status, stream.body) == (200, b"body")


def test_G20_an_early_hint_is_sent_while_the_response_is_prepared():
    go = threading.Event()

    async def app(scope, receive, send):
        await send({**HINT, "links": LINKS})
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await answer(send)

    with Serving(app) as serving, talk(serving) as client:
        found = client.streams[stream := client.ask()]
        client.until(lambda: found.interim)
        go.set()
        assert client.finish(stream).status == 200


@pytest.mark.parametrize(
    ("links", "error"),
    [([b"a\r\nb: c"], ValueError), (["</a>"], TypeError), (5, TypeError)],
    ids=repr,
)
def test_G20_an_invalid_link_raises(links, error):
    async def app(scope, receive, send):
        with pytest.raises(error):
            await send({**HINT, "links": links})
        await answer(send, b"body")

    with Serving(app) as serving:
        data = serving.talk(request(fields=CLOSE))
    assert data.startswith(b"HTTP/1.1 200 ") and b"103" not in data


def test_G21_early_hints_are_not_sent_to_http_1_0():
    with Serving(hints) as serving:
        data = serving.talk(request(version="1.0"))
    assert data.startswith(b"HTTP/1.1 200 ") and data.count(b"HTTP/1.1") == 1
    assert serving.log.exceptions == []
