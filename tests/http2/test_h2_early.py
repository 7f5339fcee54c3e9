"""Responses that are complete before their request."""

import asyncio
import shutil
import subprocess
import threading

import pytest
from rawclient import Raw
from rawframes import (
    DATA,
    END_HEADERS,
    END_STREAM,
    NO_ERROR,
    POST,
    frame,
    headers,
    settings,
    window_update,
)
from serving import DEADLINE_S, Serving, answer, read_body

SIZES = [1000, 100_000, 20_000_000]
LIMITS = {"timeout_linger": min(DEADLINE_S, 60), "timeout_body": DEADLINE_S}
"""How long a client may upload after its response: on a busy machine, a while."""


async def early(scope, receive, send):
    """Respond before the body has been received."""
    await answer(send, b"early", 413)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("size", SIZES)
def test_curl_sees_the_status_of_an_early_response(size, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"x" * size)
    with Serving(early, **LIMITS) as serving:
        url = "http://{}:{}/".format(*serving.place)
        words = ["curl", "-s", "-w", "%{http_code}", "--http2-prior-knowledge"]
        done = subprocess.run(
            [*words, "-T", path, url], capture_output=True, timeout=DEADLINE_S
        )
        assert (done.returncode, done.stdout) == (0, b"early413")


@pytest.mark.parametrize("size", SIZES)
def test_httpx_sees_the_status_of_an_early_response(size):
    httpx = pytest.importorskip("httpx")
    with Serving(early, **LIMITS) as serving:
        url = "http://{}:{}/".format(*serving.place)
        with httpx.Client(http1=False, http2=True, timeout=DEADLINE_S) as client:
            got = client.post(url, content=b"x" * size)
            assert (got.status_code, got.text) == (413, "early")


@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_an_upload_may_end_after_its_response(size):
    with Serving(early) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        raw.until(lambda: raw.body(1))
        assert raw.status(1) == "413"
        for at in range(0, size, 16384):
            raw.send(frame(DATA, 0, 1, b"x" * min(16384, size - at)))
            if at % 65536 == 0:
                raw.ping()  # the window is open again
        raw.send(frame(DATA, END_STREAM, 1))
        raw.ping()
        assert raw.reset(1) is None
        assert raw.goaway() is None


def test_a_client_that_continues_to_send_is_reset():
    """RFC 9113 8.1: NO_ERROR. --timeout-body limits the wait, whatever the client
    sends.
    """
    limits = {"timeout_linger": 0.2, "timeout_body": 1}
    with Serving(early, **limits) as serving, Raw(serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        raw.sock.settimeout(0.05)
        for _ in range(400):
            raw.send(frame(DATA, 0, 1, b"x"))
            try:
                raw.read()
            except TimeoutError:
                continue
            if raw.reset(1) is not None:
                break
        assert (raw.status(1), raw.reset(1)) == ("413", NO_ERROR)


def test_a_late_end_of_the_request_does_not_end_the_loop():
    """A task waits in receive(), another has responded, and the response is not
    read.
    """
    waiting = threading.Event()

    async def app(scope, receive, send):
        if scope["method"] == "GET":
            await answer(send, b"hello")
            return
        reader = asyncio.create_task(read_body(receive))
        await asyncio.sleep(0)
        await answer(send, b"x" * 100)
        waiting.set()
        await asyncio.wait([reader])

    limits = {"timeout_body": 0.2, "limit_body_rate": 1_000_000}
    with Serving(app, **limits) as serving, Raw(serving, settings((4, 0))) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        assert waiting.wait(DEADLINE_S)
        threading.Event().wait(0.3)  # --timeout-body passes
        raw.send(frame(DATA, END_STREAM, 1))
        raw.ping()
        raw.send(window_update(1, 100) + headers(3) + window_update(3, 100))
        raw.until(lambda: raw.body(1) and raw.body(3))
        assert (raw.status(1), len(raw.body(1))) == ("200", 100)
        assert raw.goaway() is None
