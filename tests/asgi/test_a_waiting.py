"""How a call waits: an ordinary Task, which is resumed within the engine's turn.

Covers src/asgi/pending_receive.c, src/asgi/waiter.c and src/asgi/waiters.c.
"""

import asyncio
import contextvars
import threading

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, read_answer, read_body, request

PLACE = contextvars.ContextVar("PLACE", default="outside")
HEAD = request(fields="Content-Length: 2\r\n", method="POST")


class Counting(asyncio.SelectorEventLoop):
    """A loop that records the callbacks given to call_soon()."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def call_soon(self, callback, *args, context=None):
        """Record the callback."""
        self.asked.append(repr(callback))
        return super().call_soon(callback, *args, context=context)


def waiting(app, loop="asyncio"):
    """Return a Serving of ``app`` and the response to a body whose end comes late."""
    waits = threading.Event()

    async def watched(scope, receive, send):
        first = await receive()
        assert first["more_body"]
        serving.task = id(asyncio.current_task())
        asyncio.get_running_loop().call_soon(waits.set)
        await app(receive, send)

    serving = Serving(watched)
    serving.make_loop = loop if callable(loop) else LOOPS[loop]
    with serving, serving.connect() as sock:
        sock.sendall(HEAD + b"a")
        assert waits.wait(DEADLINE_S)
        if isinstance(serving.loop, Counting):
            serving.loop.asked.clear()
        sock.sendall(b"b")
        return serving, read_answer(sock)


def test_a_received_message_resumes_the_task_at_once():
    async def app(receive, send):
        await answer(send, await read_body(receive))

    serving, got = waiting(app, Counting)
    assert got.body == b"b"
    assert not [x for x in serving.loop.asked if f"{serving.task:#x}" in x]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_task_is_resumed_in_its_own_context(loop):
    async def app(receive, send):
        PLACE.set("inside")
        task = asyncio.current_task()
        await read_body(receive)
        same = asyncio.current_task() is task
        await answer(send, f"{PLACE.get()} {same}".encode())

    _, got = waiting(app, loop)
    assert got.body == b"inside True"
    assert PLACE.get() == "outside"


@pytest.mark.http1
@pytest.mark.parametrize("loop", LOOPS)
def test_a_second_waiting_task_is_woken_too(loop):
    async def app(receive, send):
        tasks = [asyncio.create_task(receive()) for _ in range(2)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        (first,) = done
        await answer(send, first.result()["body"])
        await asyncio.wait(tasks)

    _, got = waiting(app, loop)
    assert got.body == b"b"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_wait_can_be_cancelled_with_a_message_and_repeated(loop):
    async def app(receive, send):
        task = asyncio.create_task(receive())
        await asyncio.sleep(0)
        said = ""
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError as error:
            said = str(error)
        body = await read_body(receive)
        await answer(send, body + said.encode())

    _, got = waiting(app, loop)
    assert got.body == b"benough"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_timeout_ends_a_wait(loop):
    async def app(receive, send):
        message, tries = None, 0
        while message is None:
            try:
                async with asyncio.timeout(0):
                    message = await receive()
            except TimeoutError:
                tries += 1
        assert tries > 0
        await answer(send, message["body"])

    _, got = waiting(app, loop)
    assert got.body == b"b"


def test_an_exception_in_a_step_run_at_once_belongs_to_its_request():
    async def app(receive, send):
        await read_body(receive)
        raise ValueError("mine")

    serving, got = waiting(app)
    assert got.status == 500
    assert [str(x) for x in serving.log.exceptions] == ["mine"]
