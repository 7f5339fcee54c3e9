"""Peers that are slow or stall: each affects one stream, and not for long."""

import asyncio
import threading
import time

import pytest
from rawclient import Raw
from rawframes import (
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    HEADERS,
    NO_ERROR,
    POST,
    PROTOCOL_ERROR,
    frame,
    headers,
    settings,
    window_update,
)
from serving import DEADLINE_S, Serving, answer, more, read_body, start
from talking_h2 import head, talk

NO_WINDOW = settings((4, 0))


async def hello(scope, receive, send):
    """Respond with 200."""
    await answer(send, b"hello")


async def echo_length(scope, receive, send):
    """Respond with the length of the body."""
    await answer(send, b"%d" % len(await read_body(receive)))


def test_an_unfinished_block_ends_the_connection():
    with Serving(hello, timeout_head=0.3) as serving, Raw(serving) as raw:
        raw.send(headers(1, GET, flags=END_STREAM))
        assert raw.until_closed() == NO_ERROR


def test_an_unfinished_frame_ends_the_connection():
    limits = {"timeout_head": 0.3, "timeout_keep_alive": 0.3}
    with Serving(hello, **limits) as serving, Raw(serving) as raw:
        raw.send(headers(1)[:12])
        assert raw.until_closed() == NO_ERROR


def test_a_connection_without_streams_ends_after_a_while():
    with Serving(hello, timeout_keep_alive=0.3) as serving, Raw(serving) as raw:
        raw.send(headers(1))
        assert raw.until_closed() == NO_ERROR
        assert raw.body(1) == b"hello"


def test_a_stalled_body_is_408_and_the_connection_is_kept():
    with Serving(echo_length, timeout_body=0.3) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS) + frame(DATA, 0, 1, b"x"))
        raw.until(lambda: raw.reset(1) is not None)
        assert (raw.status(1), raw.reset(1)) == ("408", NO_ERROR)
        raw.send(headers(3, POST, END_HEADERS) + frame(DATA, END_STREAM, 3, b"x"))
        raw.until(lambda: raw.body(3))
        assert raw.body(3) == b"1"


def test_a_late_receive_does_not_extend_the_wait_for_the_body():
    """The wait starts in a task that the loop resumes, while nothing is received."""

    async def app(scope, receive, send):
        await asyncio.sleep(0.01)
        await read_body(receive)

    limits = {"timeout_body": 0.3, "timeout_keep_alive": 60}
    with Serving(app, **limits) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        raw.until(lambda: raw.reset(1) is not None)
        assert raw.status(1) == "408"


def test_a_body_sent_byte_by_byte_is_408():
    async def app(scope, receive, send):
        await read_body(receive)

    limits = {"timeout_body": 0.3, "limit_body_rate": 1000}
    with Serving(app, **limits) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        raw.sock.settimeout(0.05)
        while raw.status(1) is None:
            raw.send(frame(DATA, 0, 1, b"x"))
            try:
                raw.read()
            except TimeoutError:
                continue
        assert raw.status(1) == "408"


@pytest.mark.parametrize("drops", [0, 1], ids=["closed", "by drops"])
def test_a_response_without_window_is_reset(drops):
    """CVE-2019-9511, CVE-2019-9517: small window updates do not extend the deadline."""
    gone = threading.Event()

    async def app(scope, receive, send):
        try:
            await start(send)
            for _ in range(100):
                await more(send, b"x" * 10_000)
        except OSError:
            gone.set()
            raise

    with Serving(app, timeout_send=0.4) as serving, Raw(serving, NO_WINDOW) as raw:
        raw.send(headers(1))
        raw.sock.settimeout(0.05)
        while raw.reset(1) is None:
            if drops:
                time.sleep(0.02)
                raw.send(window_update(1, drops))
            try:
                raw.read()
            except TimeoutError:
                continue
        assert raw.reset(1) == CANCEL
        assert gone.wait(DEADLINE_S)
        raw.sock.settimeout(DEADLINE_S)
        raw.ping()
        assert raw.goaway() is None
    assert serving.log.exceptions == []


def test_a_stalled_stream_does_not_delay_others():
    big = b"x" * (1 << 20)

    async def app(scope, receive, send):
        await answer(send, big if scope["path"] == "/big" else b"small")

    with Serving(app) as serving, talk(serving, acks=False) as client:
        stalled = client.ask(head("/big"))
        client.until(lambda: len(client.streams[stalled].body) == 65535)
        # The window of the connection is opened, but not that of the stream.
        client.h2.increment_flow_control_window(1 << 20)
        client.flush()
        for _ in range(10):
            assert client.get("/small").body == b"small"
        client.h2.increment_flow_control_window(1 << 20, stalled)
        client.h2.increment_flow_control_window(1 << 20)
        client.flush()
        assert client.finish(stalled).body == big


def test_an_unread_upload_does_not_delay_others():
    go = threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            await asyncio.to_thread(go.wait, DEADLINE_S)
        await answer(send, b"%d" % len(await read_body(receive)))

    settings = {"h2_window": 65536, "h2_connection_window": 1 << 20}
    with Serving(app, **settings) as serving, talk(serving) as client:
        client.ping()
        slow = client.ask(head("/slow", "POST"), ends=False)
        client.send(slow, b"x" * client.h2.local_flow_control_window(slow))
        for _ in range(4):
            assert client.post(b"y" * 300_000).body == b"300000"
        assert client.h2.local_flow_control_window(slow) == 0
        go.set()
        client.send(slow, b"x", ends=True)
        assert client.finish(slow).body == b"65537"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 5_000_000])
def test_bodies_are_complete_in_both_directions(size):
    async def app(scope, receive, send):
        await answer(send, await read_body(receive))

    with Serving(app) as serving, talk(serving) as client:
        body = bytes(range(256)) * (size // 256 + 1)
        assert client.post(body[:size]).body == body[:size]


def test_a_window_that_shrinks_below_zero_is_respected():
    async def app(scope, receive, send):
        await answer(send, b"x" * 100_000)

    with Serving(app) as serving, Raw(serving) as raw:
        raw.send(headers(1))
        raw.until(lambda: len(raw.body(1)) == 65535)
        raw.send(settings((4, 1000)) + window_update(0, 1 << 20))
        raw.ping()
        raw.send(window_update(1, 64_535))
        raw.ping()
        assert len(raw.body(1)) == 65535
        raw.send(window_update(1, 10))
        raw.ping()
        assert len(raw.body(1)) == 65545
        raw.send(window_update(1, 100_000))
        raw.until(lambda: len(raw.body(1)) == 100_000)


def test_more_than_the_window_is_a_violation():
    async def app(scope, receive, send):
        await asyncio.sleep(0.2)

    with Serving(app, h2_window=65536) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        for _ in range(5):
            raw.send(frame(DATA, 0, 1, b"x" * 16384))
        raw.until(lambda: raw.reset(1) is not None or raw.goaway() is not None)
        assert raw.reset(1) == 3 or raw.goaway() == 3


def test_a_response_before_the_end_of_the_request_ends_the_stream():
    """RFC 9113 8.1: NO_ERROR tells the client to stop sending."""
    with Serving(hello) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        raw.until(lambda: raw.reset(1) is not None)
        assert (raw.body(1), raw.reset(1)) == (b"hello", NO_ERROR)
        raw.send(frame(DATA, END_STREAM, 1, b"late"))
        raw.ping()
        assert raw.goaway() is None


def test_a_body_over_the_limit_is_413():
    with Serving(echo_length, limit_body=10) as serving, talk(serving) as client:
        assert client.post(b"x" * 11).status == 413
        assert client.post(b"x" * 10).body == b"10"
        stream = client.ask(head("/", "POST", [("content-length", "11")]), ends=False)
        assert client.finish(stream).status == 413


def test_a_wrong_content_length_is_malformed():
    with Serving(echo_length) as serving, Raw(serving) as raw:
        block = POST + bytes.fromhex("0f0d0135")  # content-length: 5
        raw.send(headers(1, block, END_HEADERS) + frame(DATA, END_STREAM, 1, b"four"))
        raw.until(lambda: raw.reset(1) is not None)
        assert raw.reset(1) == PROTOCOL_ERROR


def test_trailers_of_a_request_are_counted_and_dropped():
    seen = []

    async def app(scope, receive, send):
        seen.append([n for n, _ in scope["headers"]])
        await answer(send, await read_body(receive))

    with Serving(app, limit_head=3000) as serving, talk(serving) as client:
        stream = client.ask(head("/", "POST"), ends=False)
        client.send(stream, b"body")
        client.h2.send_headers(stream, [("x-sum", "1")], end_stream=True)
        client.flush()
        assert client.finish(stream).body == b"body"
        stream = client.ask(head("/", "POST"), ends=False)
        client.h2.send_headers(stream, [("x-sum", "1" * 3000)], end_stream=True)
        client.flush()
        assert client.finish(stream).status == 431
    assert seen == [[b"host"]] * 2


def test_100_continue_is_sent_with_the_first_receive():
    begun, go = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        begun.set()
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await answer(send, await read_body(receive))

    with Serving(app) as serving, talk(serving) as client:
        fields = [("expect", "100-continue")]
        stream = client.ask(head("/", "POST", fields), ends=False)
        found = client.streams[stream]
        assert begun.wait(DEADLINE_S)
        client.ping()
        assert found.interim == []
        go.set()
        client.until(lambda: found.interim)
        assert dict(found.interim[0])[":status"] == "100"
        client.send(stream, b"body", ends=True)
        assert client.finish(stream).body == b"body"


def test_padding_is_not_part_of_the_body():
    with Serving(echo_length) as serving, Raw(serving) as raw:
        padded = b"\x0a" + POST + b"\0" * 10
        raw.send(frame(HEADERS, END_HEADERS | 8, 1, padded))
        raw.send(frame(DATA, 8, 1, b"\xffhello" + b"\0" * 255))
        raw.send(frame(DATA, END_STREAM | 8, 1, b"\x02 there\0\0"))
        raw.until(lambda: raw.body(1))
        assert raw.body(1) == b"11"
