"""What a server counts: requests, connections, bytes and pauses."""

import asyncio
import gc
import threading
import time

from serving import (
    DEADLINE_S,
    Serving,
    answer,
    read_answer,
    read_until,
    request,
    settled,
)
from socketing import CLOSE, CONNECT, frame, handshake
from talking_h2 import talk


async def app(scope, receive, send):
    """Respond with the status in the path, or accept a WebSocket."""
    if scope["type"] == "websocket":
        assert await receive() == CONNECT
        await send({"type": "websocket.accept"})
        await receive()
        return
    if scope["path"] == "/fail":
        raise ValueError("on purpose")
    await answer(send, b"hello", int(scope["path"][1:] or 200))


def test_responses_are_counted_by_class_of_status():
    with Serving(app) as serving:
        for status in (200, 204, 302, 404, 404, 503):
            assert serving.ask(f"/{status}").status == status
        numbers = settled(
            serving, done_2xx=2, done_3xx=1, done_4xx=2, done_5xx=1, running=0
        )
    assert sum(numbers[f"latency_{i}"] for i in range(46)) == 6
    assert 0 < numbers["latency_ns"] < 6 * DEADLINE_S * 1e9


def test_a_latency_is_counted_in_its_bucket():
    async def slow(scope, receive, send):
        time.sleep(0.03)
        await answer(send)

    with Serving(slow) as serving:
        serving.ask()
        numbers = settled(serving, done_2xx=1)
    (bucket,) = (i for i in range(46) if numbers[f"latency_{i}"])
    # 2^24 ns is 16.8 ms, the lower bound of bucket 21; 2^30 ns is about a second.
    assert 21 <= bucket <= 33
    assert numbers["latency_ns"] >= 3e7


def test_connections_and_bytes_are_counted():
    asked = request(fields="Connection: close\r\n")
    with Serving(app) as serving:
        got = serving.talk(asked)
        got += serving.talk(asked)
        numbers = settled(serving, connections=0, accepted=2)
    assert numbers["bytes_in"] == 2 * len(asked)
    assert numbers["bytes_out"] == len(got)


def test_gauges_of_requests_and_connections_return_to_zero():
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(handshake())
        read_until(sock, b"\r\n\r\n")
        numbers = settled(serving, websockets=1, running=0, connections=1)
        assert numbers["done_1xx"] == 0
        sock.sendall(frame(CLOSE))
        settled(serving, websockets=0, running=0, done_1xx=1)


def test_a_websocket_is_a_running_request_until_it_is_accepted():
    go = threading.Event()

    async def waits(scope, receive, send):
        assert await receive() == CONNECT
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await app(scope, lambda: asyncio.sleep(0, CONNECT), send)

    with Serving(waits) as serving, serving.connect() as sock:
        sock.sendall(handshake())
        settled(serving, websockets=0, running=1)
        go.set()
        settled(serving, done_1xx=1, running=0)
        sock.sendall(frame(CLOSE))


def test_websockets_over_http2_are_not_counted_as_running_requests():
    websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
        ("sec-websocket-version", "13"),
    ]
    with Serving(app) as serving, talk(serving) as client:
        for _ in range(3):
            client.ask(websocket, ends=False)
        settled(serving, websockets=3, running=0)
    settled(serving, websockets=0, running=0, done_2xx=3)


def test_refusals_are_counted_by_kind():
    with Serving(app, limit_head=512, timeout_head=0.05) as serving:
        serving.talk(b"nonsense\r\n\r\n")
        serving.talk(request(fields="X: " + "x" * 600 + "\r\n"))
        serving.talk(b"GET / HT")
        serving.talk(
            request(method="POST", fields="Transfer-Encoding: chunked\r\n") + b"x\r\n"
        )
        settled(serving, refused_head=1, refused_limit=1, refused_timeout=1)


def test_failures_of_the_application_are_counted():
    with Serving(app) as serving:
        assert serving.ask("/fail").status == 500
        settled(serving, app_failed=1, done_5xx=1)


def test_a_response_that_was_not_received_is_counted_without_status():
    async def waits(scope, receive, send):
        await receive()
        await receive()

    with Serving(waits) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            settled(serving, running=1)
        settled(serving, running=0, done=1)


def test_pauses_for_the_collector_are_counted():
    async def collects(scope, receive, send):
        gc.collect()
        await answer(send)

    with Serving(collects) as serving:
        serving.ask()
        numbers = settled(serving, done_2xx=1)
    assert numbers["gcs"] >= 1
    assert numbers["gc_ns"] >= numbers["gc_max"] > 0


def test_a_blocked_loop_is_counted_as_lag():
    """The timer of a connection's deadline expires while the application blocks."""

    async def blocks(scope, receive, send):
        time.sleep(0.3)
        await answer(send)

    with Serving(blocks, timeout_keep_alive=0.1) as serving:
        with serving.connect(), serving.connect() as sock:
            sock.sendall(request())
            read_answer(sock)
            settled(serving, connections=0)
        numbers = serving.server.tallies.read(0)
    assert numbers["lags"] >= 1
    assert numbers["lag_ns"] >= numbers["lag_max"] >= 5e7


def test_the_counts_of_a_stopped_server_remain():
    with Serving(app) as serving:
        serving.ask()
        assert serving.server.tallies.read(0)["pid"] > 0
    numbers = serving.server.tallies.read(0)
    assert (numbers["pid"], numbers["connections"]) == (0, 0)
    assert numbers["done_2xx"] == 1
