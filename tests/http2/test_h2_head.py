"""When the head of a response is sent over HTTP/2, and what is sent before it."""

import asyncio
import threading

from serving import DEADLINE_S, Serving, start
from talking_h2 import head, talk

EXPECT = [("expect", "100-continue"), ("content-length", "4")]


def test_heads_of_many_streams_are_sent_while_their_applications_wait():
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await send({"type": "http.response.body", "body": scope["raw_path"]})

    with Serving(app) as serving, talk(serving) as client:
        streams = [client.ask(head(f"/{n}")) for n in range(3)]
        client.until(lambda: all(client.streams[x].fields for x in streams))
        go.set()
        got = [client.finish(x) for x in streams]
    assert [x.body for x in got] == [b"/0", b"/1", b"/2"]
    assert all(x.field("content-length") is None for x in got)


def test_100_continue_is_sent_before_a_held_response_head():
    async def app(scope, receive, send):
        await start(send)
        message = await receive()
        await send({"type": "http.response.body", "body": message["body"]})

    with Serving(app) as serving, talk(serving) as client:
        number = client.ask(head("/", "POST", EXPECT), ends=False)
        stream = client.streams[number]
        client.until(lambda: stream.fields)
        assert [dict(x)[":status"] for x in stream.interim] == ["100"]
        client.send(number, b"ping", ends=True)
        got = client.finish(number)
    assert (got.status, got.body) == (200, b"ping")


def test_no_100_continue_follows_a_sent_head():
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        await asyncio.to_thread(go.wait, DEADLINE_S)
        message = await receive()
        await send({"type": "http.response.body", "body": message["body"]})

    with Serving(app) as serving, talk(serving) as client:
        number = client.ask(head("/", "POST", EXPECT), ends=False)
        stream = client.streams[number]
        client.until(lambda: stream.fields)
        go.set()
        client.send(number, b"ping", ends=True)
        got = client.finish(number)
    assert (got.status, got.body, got.interim) == (200, b"ping", [])


def test_a_failure_right_after_a_held_head_is_a_clean_500():
    async def app(scope, receive, send):
        await start(send)
        raise RuntimeError("at once")

    with Serving(app) as serving, talk(serving) as client:
        assert client.get().status == 500
        assert client.get().status == 500
