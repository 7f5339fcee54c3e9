"""Clients that reset streams: those with a reason are served, floods are calmed."""

import asyncio
import shutil
import subprocess
import threading

import pytest
from rawframes import (
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    POST,
    REFUSED_STREAM,
    RST_STREAM,
    Raw,
    headers,
    rst_stream,
    settings,
)
from serving import DEADLINE_S, Serving, answer


async def app(scope, receive, send):
    """Answer; "/slow" when it is too late."""
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    await answer(send, b"hello")


def odd(n):
    """Return the number of the n-th stream."""
    return 2 * n + 1


def test_resets_after_the_response_harm_nobody():
    """What grpc-java and browsers do: the response is there, the upload is not over."""
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


@pytest.mark.parametrize("limit", [400, 20])
def test_the_limit_is_an_option_and_the_log_names_it(limit):
    slow = bytes.fromhex("8286410161") + b"\x44\x05/slow"
    # Calls whose client left before the response go on until the grace is almost over.
    limits = {"h2_max_resets": limit, "timeout_graceful_shutdown": 1}
    with Serving(app, **limits) as serving, Raw(serving) as raw:
        for n in range(limit):
            raw.send(headers(odd(n), slow) + rst_stream(odd(n)))
        raw.ping()
        assert raw.goaway() is None
        for n in range(limit, 2 * limit + 10):
            raw.send(headers(odd(n), slow) + rst_stream(odd(n)))
        assert raw.until_closed() == ENHANCE_YOUR_CALM
        assert b"--h2-max-resets" in raw.of(7)[-1][3]
        assert serving.ask("/").status == 200
    assert any("--h2-max-resets" in text for _, text in serving.log.lines)


def test_streams_that_run_are_served_when_no_other_may_begin():
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


def test_a_cold_connection_may_ask_for_more_than_the_limit():
    """A client knows --h2-max-streams only when it has read our SETTINGS."""
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


def test_deadlines_of_grpc_clients_harm_nobody():
    grpc = pytest.importorskip("grpc")

    with Serving(app) as serving:
        host, port = serving.place
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            call = channel.unary_unary("/slow")
            for _ in range(200):
                futures = [call.future(b"", timeout=0.01) for _ in range(2)]
                for future in futures:
                    assert future.exception(DEADLINE_S) is not None
            # Answered, if as no gRPC server would: the connection is the first one.
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
def test_aborts_of_node_harm_nobody():
    with Serving(app) as serving:
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
def test_last_parts_wait_when_a_connection_keeps_too_much(wait):
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
