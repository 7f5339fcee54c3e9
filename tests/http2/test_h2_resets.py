"""Clients that reset streams: legitimate ones are served, floods are limited."""

import asyncio
import shutil
import subprocess
import threading
import time

import pytest
from rawclient import Raw
from rawframes import (
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    GET,
    HEADERS,
    POST,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    headers,
    rst_stream,
    settings,
)
from serving import DEADLINE_S, LOOPS, Serving, answer


async def app(scope, receive, send):
    """Respond; "/slow" responds late."""
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    await answer(send, b"hello")


def odd(n):
    """Return the number of the n-th stream."""
    return 2 * n + 1


def test_resets_after_the_response_are_harmless():
    """As grpc-java and browsers do: the response is complete, the upload is not."""
    with Serving(app) as serving, Raw(serving) as raw:
        for n in range(1000):
            raw.send(headers(odd(n), POST, END_HEADERS))
            raw.until(lambda n=n: raw.body(odd(n)))
            raw.send(rst_stream(odd(n)))
            raw.frames.clear()
        raw.send(headers(odd(1000)))
        raw.until(lambda: raw.body(odd(1000)))
        assert raw.status(odd(1000)) == "200"
        assert raw.goaway() is None


SLOW = bytes.fromhex("8286410161") + b"\x44\x05/slow"


def pairs(numbers, block):
    """Return requests, each followed by its reset."""
    return b"".join(headers(odd(n), block) + rst_stream(odd(n)) for n in numbers)


def batches(numbers, block):
    """Return requests, followed by the resets of all of them."""
    return b"".join(headers(odd(n), block) for n in numbers) + b"".join(
        rst_stream(odd(n)) for n in numbers
    )


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("packet", [pairs, batches])
@pytest.mark.parametrize("block", [GET, SLOW], ids=["at once", "late"])
@pytest.mark.parametrize("loop", LOOPS)
def test_each_of_2000_requests_is_answered_or_its_reset_is_counted(
    loop, block, packet, reads
):
    """CVE-2023-44487: resets cannot cause more wasted work than the limit allows.

    Resets of a batch may arrive after the responses, which the client then receives.
    """
    limit, streams, began, calls = 200, 50, time.monotonic(), []

    async def counting(scope, receive, send):
        calls.append(1)
        await app(scope, receive, send)

    limits = {"h2_max_resets": limit, "timeout_graceful_shutdown": 1}
    limits["h2_max_streams"] = streams
    with Serving(counting, loop=loop, **limits) as serving, Raw(serving) as raw:
        raw.until(lambda: raw.of(SETTINGS))
        for first in range(0, 2000, streams):
            raw.send(packet(range(first, first + streams), block))
            if reads:
                raw.ping()
        raw.ping()
        given_back = limit / 4 * (time.monotonic() - began)
        answered = len(raw.of(HEADERS))
        assert len(calls) - answered <= limit + streams + given_back
        if raw.goaway() is None:
            assert len(calls) == 2000
        else:
            assert raw.goaway() == ENHANCE_YOUR_CALM
        if block is SLOW:
            assert raw.goaway() == ENHANCE_YOUR_CALM
        assert serving.ask("/").status == 200


@pytest.mark.parametrize("limit", [400, 20])
def test_the_limit_is_an_option_and_the_log_names_it(limit):
    # Calls whose client left before the response run until the grace period is almost
    # over.
    limits = {"h2_max_resets": limit, "timeout_graceful_shutdown": 1}
    with Serving(app, **limits) as serving, Raw(serving) as raw:
        for n in range(limit):
            raw.send(headers(odd(n), SLOW) + rst_stream(odd(n)))
        raw.ping()
        assert raw.goaway() is None
        for n in range(limit, 2 * limit + 10):
            raw.send(headers(odd(n), SLOW) + rst_stream(odd(n)))
        assert raw.until_closed() == ENHANCE_YOUR_CALM
        assert b"--h2-max-resets" in raw.of(7)[-1][3]
        assert serving.ask("/").status == 200
    assert any("--h2-max-resets" in text for _, text in serving.log.lines)


def test_running_streams_are_served_when_new_ones_are_refused():
    go = threading.Event()

    async def waits(scope, receive, send):
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await answer(send, b"hello")

    with Serving(waits, h2_max_resets=1) as serving, Raw(serving) as raw:
        raw.send(headers(1))
        for n in range(1, 10):
            raw.send(headers(odd(n)) + rst_stream(odd(n)))
        raw.until(lambda: raw.goaway() is not None)
        go.set()
        raw.until_closed()
        assert raw.body(1) == b"hello"


def test_a_new_connection_may_open_more_streams_than_the_limit():
    """A client knows --h2-max-streams only after it has read our SETTINGS."""
    with Serving(app) as serving:
        raw = Raw(serving, settings() + b"".join(headers(odd(n)) for n in range(600)))
        with raw:
            raw.until(lambda: len(raw.of(HEADERS)) + len(raw.of(RST_STREAM)) == 600)
            served = [n for n in range(600) if raw.status(odd(n)) == "200"]
            refused = [n for n in range(600) if raw.reset(odd(n)) == REFUSED_STREAM]
            assert len(served) >= 128 and len(served) + len(refused) == 600
            assert raw.goaway() is None
            raw.send(headers(odd(600)))
            raw.until(lambda: raw.body(odd(600)))


def test_deadlines_of_grpc_clients_are_harmless():
    grpc = pytest.importorskip("grpc")

    with Serving(app, timeout_graceful_shutdown=1) as serving:
        host, port = serving.place
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            call = channel.unary_unary("/slow")
            for _ in range(200):
                futures = [call.future(b"", timeout=0.01) for _ in range(2)]
                for future in futures:
                    assert future.exception(DEADLINE_S) is not None
            # Responds, although not as a gRPC server would: only the connection
            # matters.
            ended = channel.unary_unary("/hello").future(b"", timeout=DEADLINE_S)
            assert ended.exception(DEADLINE_S).code() is not None
        serving.stop()
        assert [text for level, text in serving.log.lines if level >= 30] == []


NODE = """
const http2 = require('http2');
const client = http2.connect(process.argv[1]);
let left = 300;
for (let i = 0; i < 300; i++) {
  const asked = client.request({':path': '/slow'});
  asked.on('error', () => {});
  asked.on('close', () => {
    if (--left > 0) return;
    const last = client.request({':path': '/'});
    last.on('response', (h) => { console.log(h[':status']); client.close(); });
    last.end();
  });
  asked.end();
  setTimeout(() => asked.close(http2.constants.NGHTTP2_CANCEL), 20);
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
def test_aborts_of_node_are_harmless():
    with Serving(app, timeout_graceful_shutdown=1) as serving:
        url = "http://{}:{}".format(*serving.place)
        done = subprocess.run(
            ["node", "-e", NODE, url],
            capture_output=True,
            text=True,
            timeout=3 * DEADLINE_S,
            check=True,
        )
        assert done.stdout.strip() == "200", done.stderr


@pytest.mark.parametrize("wait", [0, 1])
def test_last_parts_wait_when_a_connection_buffers_too_much(wait):
    """--h2-max-output: a task does not end while its response fills the memory."""
    ended, all_sent = [], threading.Event()
    size = 200_000

    async def large(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"x" * size)
            ended.append(1)
            return
        await asyncio.sleep(0.2)
        all_sent.set()
        await answer(send)

    small = bytes.fromhex("8286410161") + b"\x44\x02/s"
    limits = {"h2_max_output": 1 << 20} if wait else {"h2_max_output": 1 << 30}
    with Serving(large, **limits) as serving, Raw(serving, settings((4, 0))) as raw:
        for n in range(20):
            raw.send(headers(odd(n)))
        raw.send(headers(odd(20), small))
        assert all_sent.wait(DEADLINE_S)
        assert len(ended) == ((1 << 20) // size if wait else 20)
        raw.send(settings((4, 1 << 30)))
        raw.until(lambda: raw.reset(1) is not None or len(raw.body(1)) == 65_535)
        for _ in range(100):
            raw.send(b"\0\0\4\x08\0\0\0\0\0" + (1 << 20).to_bytes(4, "big"))
        raw.until(lambda: all(len(raw.body(odd(n))) == size for n in range(20)))
    assert len(ended) == 20
