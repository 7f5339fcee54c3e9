"""What the engine's types reject, and what they report to the garbage collector.

The package checks all of this earlier; an embedding program may not.  Covers
src/py/config.c, src/py/early.c, src/py/tls.c, src/py/server_type.c and
src/asgi/waiter.c.
"""

import asyncio
import contextvars
import gc
import mmap
import socket
import subprocess
import sys

import pytest
from serving import Serving, answer, read_answer, read_body, request
from socketing import CLOSE, accept, talking

from bolide import _engine
from bolide.config.config import Config

NEARLY = max(_engine.EARLY_TICKETS_BYTES - 1, 0)

TLS = {
    "pairs": ((b"/nowhere", None, None),),
    "alpn": (b"http/1.1",),
    "ticket_secret": bytes(32),
    "password": None,
    "ca": None,
    "crl": None,
    "ciphers": None,
    "version_min": 0x0303,
    "version_max": 0x0304,
    "verify": 0,
    "ktls": 0,
    "quic": 0,
    "ticket_s": 0,
}


async def app(scope, receive, send):
    """Send nothing."""


async def answering(scope, receive, send):
    """Respond to each request."""
    await answer(send, b"done")


def settings(**changes):
    """Return settings that the engine accepts."""
    given = Config("app", lifespan="off").for_engine() | {"access_log": None}
    return given | {"log": print, "log_exception": print} | changes


def engine(application=app, **changes):
    """Return an engine server on the running loop."""
    loop = asyncio.get_running_loop()
    return _engine.Server(application, loop, settings(**changes))


def in_loop(function):
    """Return what ``function`` returns inside a loop."""

    async def main():
        return function()

    return asyncio.run(main())


WRONG = [
    ("head_bytes", "1", TypeError, "head_bytes must be an int"),
    ("head_bytes", True, TypeError, "head_bytes must be an int"),
    ("head_bytes", 1, ValueError, "head_bytes must be"),
    ("head_bytes", 1 << 40, ValueError, "head_bytes must be"),
    ("head_bytes", 1 << 80, ValueError, "head_bytes must be"),
    ("date_header", 1, TypeError, "date_header must be a bool"),
    ("log", 1, TypeError, "log must be a callable"),
    ("log_exception", None, TypeError, "log_exception must be a callable"),
    ("on_full", 1, TypeError, "on_full must be a callable or None"),
    ("root_path", b"/a", TypeError, "root_path must be a str"),
    ("root_path", "a", ValueError, "root_path"),
    ("root_path", "/a/", ValueError, "root_path"),
    ("lifespan", 1, TypeError, "lifespan must be a str"),
    ("lifespan", "perhaps", ValueError, "lifespan"),
    ("headers", (), TypeError, "headers must be a list"),
    ("headers", [b"a: b"], TypeError, "headers must be a list of"),
    ("headers", [(b"a",)], TypeError, "headers must be a list of"),
    ("headers", [("a", b"b")], TypeError, "headers must be a list of"),
    ("headers", [(b"a", "b")], TypeError, "headers must be a list of"),
    ("headers", [(b"a b", b"c")], ValueError, "may not be sent"),
    ("headers", [(b"a", b"b\n")], ValueError, "may not be sent"),
    ("headers", [(b"Content-Length", b"1")], ValueError, "content-length"),
    ("headers", [(b"Connection", b"close")], ValueError, "connection"),
    ("balance", 1, TypeError, "bytes-like"),
    ("balance", b"read only", BufferError, "writable"),
    ("balance", bytearray(1), ValueError, "balance has no seat 0"),
    ("tallies", bytearray(1), ValueError, "tallies has no seat 0"),
    ("history", bytearray(1), ValueError, "history is too short"),
    ("early_tickets", bytearray(1), ValueError, "is too short|no early data"),
    ("early_tickets", bytearray(NEARLY), ValueError, "is too short|no early data"),
    ("early_tickets", "text", TypeError, "bytes-like"),
    ("early_tickets", b"read only", BufferError, "writable"),
    ("seat", -1, ValueError, "seat must be"),
    ("quic_seat", 1024, ValueError, "quic_seat must be"),
    ("quic_secret", "text", TypeError, "quic_secret must be bytes"),
    ("trusted_proxies", b"127.0.0.1", TypeError, "trusted_proxies must be a str"),
    ("trusted_proxies", "\ud800", UnicodeEncodeError, "surrogates"),
    ("trusted_proxies", "300.0.0.1", ValueError, "trusted_proxies"),
    ("health_path", "/health", TypeError, "health_path must be bytes"),
    ("metrics_path", 1, TypeError, "metrics_path must be bytes"),
    ("status_path", None, TypeError, "status_path must be bytes"),
    ("build_labels", None, TypeError, "build_labels must be bytes"),
    ("access_log", 1, TypeError, None),
    ("access_log", (b"file", 1, None, "%(h)s", 0), TypeError, "must be str"),
    ("access_log", ("nowhere", 1, None, "%(h)s", 0), ValueError, "no kind of sink"),
    ("static", [], TypeError, "static must be a tuple"),
    ("static", ((b"/a", "b"),), TypeError, "static must be a tuple"),
    ("static", ((b"/a/", b"/b"),), ValueError, "not a prefix and a directory"),
    ("static", ((b"/a", b""),), ValueError, "not a prefix and a directory"),
    ("static", ((b"", b"/"), (b"/a", b"/")), ValueError, "not a prefix"),
    ("static_cache_control", ((b"*", b"a\n"),), ValueError, "not a field value"),
    ("static_index", "a", TypeError, "static_index must be bytes"),
    ("static_index", b"a/b", ValueError, "no file"),
    ("static_fallback", b"a", ValueError, "no file"),
    ("watch_fd", "1", TypeError, "watch_fd"),
    ("tls", {}, KeyError, "pairs"),
]


@pytest.mark.parametrize(("key", "value", "error", "match"), WRONG)
def test_a_setting_of_the_wrong_kind_is_rejected(key, value, error, match):
    with pytest.raises(error, match=match):
        in_loop(lambda: engine(**{key: value}))


@pytest.mark.parametrize("key", sorted(settings().keys() - {"on_full"}))
def test_a_setting_that_is_missing_is_named(key):
    def make():
        given = settings()
        del given[key]
        _engine.Server(app, asyncio.get_running_loop(), given)

    with pytest.raises(KeyError, match=key):
        in_loop(make)


WRONG_TLS = [
    ("pairs", [], ValueError, "pairs must be a list of 1 to"),
    ("pairs", (), ValueError, "pairs must be a list of 1 to"),
    ("pairs", ((b"a", None, None),) * 1000, ValueError, "pairs must be a list of"),
    ("pairs", (b"a",), TypeError, "a pair is"),
    ("pairs", ((b"a", None),), TypeError, "a pair is"),
    ("pairs", ((None, None, None),), TypeError, "a pair is"),
    ("pairs", ((b"a\0b", None, None),), ValueError, "a NUL byte"),
    ("pairs", ((b"a", "b", None),), TypeError, "bytes or None, not str"),
    ("pairs", ((b"a", None, "b"),), TypeError, "bytes or None, not str"),
    ("alpn", 1, ValueError, "alpn must be"),
    ("alpn", (), ValueError, "alpn must be"),
    ("alpn", (b"",), ValueError, "alpn must be"),
    ("alpn", (None,), ValueError, "alpn must be"),
    ("alpn", (b"x" * 300,), ValueError, "alpn must be"),
    ("alpn", ("h2",), TypeError, "bytes or None, not str"),
    ("ticket_secret", "x", ValueError, "ticket_secret must be"),
    ("ticket_secret", b"x", ValueError, "ticket_secret must be"),
    ("password", "x", TypeError, "bytes or None, not str"),
    ("ca", 1, TypeError, "bytes or None, not int"),
    ("crl", b"\0", ValueError, "a NUL byte"),
    ("ciphers", "x", TypeError, "bytes or None, not str"),
    ("version_min", "x", TypeError, "int"),
    ("version_max", -1, ValueError, "version_max must be 0 to"),
    ("verify", 99, ValueError, "verify must be 0 to"),
    ("ktls", 2, ValueError, "ktls must be 0 to 1"),
    ("quic", 2, ValueError, "quic must be 0 to 1"),
    ("ticket_s", 1 << 62, ValueError, "ticket_s must be 0 to"),
    ("pairs", ((b"/nowhere", None, None),), _engine.TLSError, "nowhere"),
]


@pytest.mark.parametrize(("key", "value", "error", "match"), WRONG_TLS)
def test_a_tls_setting_of_the_wrong_kind_is_rejected(key, value, error, match):
    with pytest.raises(error, match=match):
        in_loop(lambda: engine(tls=TLS | {key: value}))


@pytest.mark.parametrize("key", sorted(TLS))
def test_a_tls_setting_that_is_missing_is_named(key):
    given = {name: value for name, value in TLS.items() if name != key}
    with pytest.raises(KeyError, match=key):
        in_loop(lambda: engine(tls=given))


PAGE = mmap.mmap(-1, mmap.PAGESIZE)
WRONG_CALLS = [
    (lambda: _engine.format_cache(mmap.mmap(-1, 64)), ValueError, "at least"),
    (lambda: _engine.format_cache(memoryview(PAGE)[1:]), ValueError, "aligned to 64"),
    (lambda: _engine.format_cache(b"read only"), BufferError, "writable"),
    (lambda: _engine.access_format(1), TypeError, None),
    (lambda: _engine.keep_freed_memory("1"), TypeError, "int"),
    (lambda: _engine.keep_freed_memory(-2), ValueError, "out of range"),
    (lambda: _engine.keep_freed_memory(1 << 31), ValueError, "out of range"),
    (lambda: _engine.log_datagram("syslog", "1", ""), TypeError, None),
    (lambda: _engine.log_datagram("nowhere", 1, ""), ValueError, "no such form"),
    (lambda: _engine.log_datagram("syslog", 8, ""), ValueError, "severity"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG_CALLS)
def test_a_function_rejects_wrong_arguments(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_datagram_has_a_head_and_the_text_with_what_cannot_be_encoded_replaced():
    assert _engine.log_datagram("syslog", 6, "a\udc00").endswith(b"a?")
    assert _engine.log_datagram("journal", 3, "text").endswith(b"text\n")


def test_a_task_factory_may_start_the_server_that_reads_it():
    class Loop(asyncio.SelectorEventLoop):
        def get_task_factory(self):
            self.get_task_factory = super().get_task_factory
            server.start([])
            return super().get_task_factory()

    async def main():
        nonlocal server
        server = engine()
        with pytest.raises(RuntimeError, match="started before"):
            server.start([])
        server.close()

    server, loop = None, Loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.fixture
def unraisable(monkeypatch):
    """Return the list of the exceptions that will be reported as unraisable."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda x: found.append(x.exc_type))
    return found


class StrictLoop(asyncio.SelectorEventLoop):
    """A loop of which nothing can be removed once it is closed, such as uvloop's."""

    def remove_reader(self, fd):
        if self.is_closed():
            raise RuntimeError("closed")
        return super().remove_reader(fd)


@pytest.mark.parametrize("kind", [asyncio.SelectorEventLoop, StrictLoop])
def test_a_server_may_be_closed_after_its_loop(kind, unraisable):
    async def main():
        server = engine()
        server.start([])
        return server

    loop = kind()
    server = loop.run_until_complete(main())
    loop.close()
    server.close()
    assert unraisable == []


@pytest.mark.parametrize("on_full", [None, lambda: 1 / 0], ids=["none", "raises"])
def test_a_server_that_is_full_continues(on_full, unraisable):
    async def main():
        server = engine(answering, max_requests=1, on_full=on_full)
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        server.start([(listener.detach(), 0)])
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request(fields="Connection: close\r\n"))
            assert (await reader.read()).endswith(b"done")
            writer.close()
        server.close()

    asyncio.run(main())
    assert unraisable == ([] if on_full is None else [ZeroDivisionError])


def test_an_application_must_be_callable():
    with pytest.raises(TypeError, match="app must be callable, not int"):
        in_loop(lambda: engine(1))


def test_a_server_that_was_not_initialized_does_nothing():
    async def main():
        server = _engine.Server.__new__(_engine.Server)
        calls = [
            lambda: server.start([]),
            lambda: server.startup(),
            lambda: server.shutdown(),
            lambda: server.stop(),
            lambda: server.retire(),
            lambda: server.leave(),
            lambda: server.log_to(None),
            lambda: server.reload_tls(None),
            lambda: server.close(),
        ]
        for call in calls:
            with pytest.raises(RuntimeError):
                call()
        server.reopen_log()
        server.disown()

    asyncio.run(main())


def test_invalid_operations_on_a_server_raise():
    async def main():
        server = engine()
        with pytest.raises(TypeError, match="listeners must be a list"):
            server.start(())
        with pytest.raises(TypeError, match="a listener is"):
            server.start([1])
        with pytest.raises(RuntimeError, match="TLS is not turned on or off"):
            server.reload_tls(TLS)
        with pytest.raises(TypeError):
            server.log_to(1)
        server.start([])
        for call in (lambda: server.start([]), lambda: server.log_to(None)):
            with pytest.raises(RuntimeError, match="started before"):
                call()
        server.close()

    asyncio.run(main())


def waiting(app, fields="Content-Length: 2\r\n"):
    """Return the response of ``app``, whose body's end comes when it asks for it."""
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request(fields=fields, method="POST") + b"a")
        serving.more = lambda: sock.sendall(b"b")
        return read_answer(sock)


def test_a_wait_can_be_watched_as_a_future():
    """The methods that a Task written in Python may call, and those it may not."""
    seen = []

    async def app(scope, receive, send):
        assert (await receive())["more_body"]
        coroutine = receive()
        wait = coroutine.send(None)
        assert wait.get_loop() is asyncio.get_running_loop()
        assert not wait.done()
        assert not wait.cancelled()
        assert wait.remove_done_callback(print) == 0
        for wrong in (
            lambda: wait.add_done_callback(),
            lambda: wait.add_done_callback(print, print),
            lambda: wait.add_done_callback(print, other=1),
            lambda: wait.add_done_callback(print, context=None, other=1),
            lambda: wait.cancel(1, 2),
        ):
            with pytest.raises(TypeError):
                wrong()
        with pytest.raises(RuntimeError, match="has not ended"):
            wait.result()
        wait.add_done_callback(print, context=None)
        with pytest.raises(RuntimeError, match="one Task waits"):
            wait.add_done_callback(print)
        assert wait.remove_done_callback(seen) == 0
        with pytest.raises(ZeroDivisionError):
            wait.remove_done_callback(Unequal())
        assert wait.remove_done_callback(print) == 1
        wait.add_done_callback(seen.append)
        assert wait.cancel("enough")
        assert not wait.cancel()
        assert wait.done()
        assert wait.cancelled()
        wait.add_done_callback(seen.append)
        await asyncio.sleep(0)
        assert seen == [wait, wait]
        with pytest.raises(asyncio.CancelledError, match="enough"):
            coroutine.send(None)
        await answer(send, b"done")

    assert waiting(app).body == b"done"


class Unequal:
    """An object that cannot be compared."""

    def __eq__(self, other):
        """Fail."""
        return 1 / 0

    __hash__ = None


def test_a_task_written_in_python_waits_too():
    async def app(scope, receive, send):
        async def read():
            return await read_body(receive)

        task = asyncio.tasks._PyTask(read())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(send_more)
        await answer(send, await task)

    with Serving(app) as serving, serving.connect() as sock:
        send_more = lambda: sock.sendall(b"b")  # noqa: E731
        sock.sendall(request(fields="Content-Length: 2\r\n", method="POST") + b"a")
        assert read_answer(sock).body == b"ab"


def references():
    """Return how many references the engine's objects have, and how many are found."""
    count = found = 0
    for thing in gc.get_objects():
        if "_engine" not in str(type(thing).__module__):
            continue
        for held in gc.get_referents(thing):
            count += 1
            found += any(x is thing for x in gc.get_referrers(held))
    return count, found


@pytest.fixture
def only_new():
    """Hide from the collector what exists already: it would examine it each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def test_the_collector_finds_the_references_of_the_module():
    code = (
        "import gc; from bolide import _engine\n"
        "held = gc.get_referents(_engine)\n"
        "found = [any(y is _engine for y in gc.get_referrers(x)) for x in held]\n"
        "assert all(found) and len(found) > 20, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_collector_finds_the_references_of_a_request(only_new):
    """The collector may stop at each reference, as gc.get_referrers() does."""
    counts = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            counts.append(references())
            await send({"type": "lifespan.startup.complete"})
            return
        coroutine = receive()
        wait = coroutine.send(None)
        wait.add_done_callback(print, context=contextvars.copy_context())
        counts.append(references())
        wait.cancel("enough")
        counts.append(references())
        coroutine.close()
        await answer(send, b"done")

    with Serving(app, lifespan="on") as serving, serving.connect() as sock:
        sock.sendall(request(fields="Content-Length: 2\r\n", method="POST"))
        assert read_answer(sock).body == b"done"
    assert all(count == found > 5 for count, found in counts)
    assert len(counts) == 3


def test_the_collector_finds_the_references_of_a_websocket(only_new):
    counts = []

    async def app(scope, receive, send):
        await accept(receive, send)
        task = asyncio.create_task(receive())
        await asyncio.sleep(0)
        counts.append(references())
        task.cancel()
        await send({"type": "websocket.close"})

    with talking(app) as (peer, _):
        assert peer.frame()[0] == CLOSE
    assert [count for count, _ in counts] == [found for _, found in counts] != []
