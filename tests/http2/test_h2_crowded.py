"""More requests than --limit-concurrency over HTTP/2: those over the limit get 503."""

import asyncio
import threading

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer
from talking_h2 import head, talk


class Held:
    """An application whose responses wait until they are released."""

    def __init__(self):
        self.began = threading.Semaphore(0)
        self.release = asyncio.Event()

    async def app(self, scope, receive, send):
        """Wait, then respond."""
        self.began.release()
        await self.release.wait()
        await answer(send, b"hello")

    def wait_for(self, calls):
        """Wait until ``n`` more requests are running."""
        for _ in range(calls):
            assert self.began.acquire(timeout=DEADLINE_S)


loops = pytest.mark.parametrize("loop", LOOPS)


@loops
def test_streams_over_the_limit_of_requests_are_503(loop):
    held = Held()
    settings = {"limit_concurrency": 2, "health_path": "/health"}
    with Serving(held.app, loop, **settings) as serving, talk(serving) as client:
        running = [client.ask(), client.ask()]
        held.wait_for(2)
        for _ in range(3):
            over = client.get()
            assert (over.status, over.field("retry-after")) == (503, "1")
        assert client.get("/health").status == 200
        assert client.goaway is None, "the connection is not over the limit"
        serving.loop.call_soon_threadsafe(held.release.set)
        assert [client.finish(x).body for x in running] == [b"hello"] * 2
        assert client.get().body == b"hello"
    assert [x for _, x in serving.log.lines if "--limit-concurrency 2" in x]


@loops
def test_a_connection_over_the_limit_is_503_and_ends(loop):
    held = Held()
    with Serving(held.app, loop, limit_concurrency=1) as serving:
        with talk(serving) as first, talk(serving) as over:
            running = first.ask()
            held.wait_for(1)
            refused = over.get()
            assert (refused.status, refused.field("retry-after")) == (503, "1")
            while not over.closed:
                over.read()
            assert over.goaway is not None
            serving.loop.call_soon_threadsafe(held.release.set)
            assert first.finish(running).body == b"hello"
        with talk(serving) as again:
            assert again.finish(again.ask(head())).body == b"hello"
