"""Serves one kind of exchange again and again, with one call of the engine failing.

python failing_calls.py KIND [ERROR]

A call is one of CPython, of a library or of the system (tests/faults). Whichever call
fails, the client gets a response or the connection is closed, every call of the
application ends, and the next client is served. Prints how many calls have failed.
"""

import asyncio
import contextlib
import ctypes
import errno
import gc
import importlib.util
import os
import sys
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from failing_clients import certificate
from failing_kinds import KINDS
from serving import Record, listen_at

import bolide
from bolide import _engine

DEADLINE_S = 5 * int(os.environ.get("PATIENCE", "1"))
MANY = 4000
"""Upper limit: no exchange makes so many calls."""

STUCK = {"PyObject_Vectorcall"}
"""Names of failures that may prevent the start: call_soon() itself has failed, and
there is no descriptor yet through which the loop could call the engine.
"""

library = ctypes.PyDLL(_engine.__file__)
CAN_FAIL = hasattr(library, "fault_at")
if CAN_FAIL:
    library.fault_like.argtypes = [ctypes.c_char_p, ctypes.c_ulong, ctypes.c_int]
    library.fault_stop.restype = ctypes.c_ulong
    library.fault_name.restype = ctypes.c_char_p

STUCK_S = 1
CPYTHON = b"Py"
COUNTED = dict.fromkeys(("h3-stream", "wt-fills"), CPYTHON)
"""What the names of the calls that fail begin with, by the kind; all calls fail in the
others. These kinds send many packets, each by the same calls of other libraries.
"""
LIMIT_S = 0.2
"""How long a server waits for a client, so that a sweep does not take long."""
SETTINGS = {
    "lifespan": "off",
    "access_log": False,
    "timeout_keep_alive": LIMIT_S,
    "ws_close_timeout": LIMIT_S,
    "timeout_linger": LIMIT_S,
    "timeout_graceful_shutdown": 0.5,
}


class Exchanges:
    """Counts the running calls of an application."""

    def __init__(self, app):
        self.app = app
        self.running = 0

    async def end(self):
        """Wait until none is running."""
        while self.running > 0:
            await asyncio.sleep(0.001)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1


def server_of(app, settings):
    """Return a server and its socket."""
    settings = {**SETTINGS, **settings}
    server = bolide.Server(bolide.Config(app, **settings))
    server.log = Record()
    return server, listen_at("127.0.0.1")


class Serving:
    """A server on the running loop."""

    def __init__(self, app, settings):
        self.exchanges = Exchanges(app)
        self.server, self.listener = server_of(self.exchanges, settings)
        self.place = self.listener.getsockname()

    async def begin(self):
        """Start the server."""
        self.task = asyncio.create_task(self.server.serve([self.listener]))
        turns = 0
        while not self.server.started and not self.task.done():
            turns += 1
            await asyncio.sleep(0 if turns < 1000 else 0.01)
        return not self.task.done()

    async def end(self):
        """Stop the server; return why it was not stopped gracefully, or None."""
        self.server.should_exit = True
        done, _ = await asyncio.wait([self.task], timeout=DEADLINE_S)
        assert done, "the server does not stop"
        self.listener.close()
        return self.task.exception()


async def play(kind, serving, client, n, error):
    """Fail call ``n`` within one exchange; return the name of the call."""
    if client.begin is not None:
        await asyncio.wait_for(client.begin(serving.place), DEADLINE_S)
    library.fault_like(COUNTED.get(kind, b""), n, error)
    what = "nothing was received"
    try:
        await asyncio.wait_for(client(serving.place), DEADLINE_S)
        what = "a call is still running"
        await asyncio.wait_for(serving.exchanges.end(), DEADLINE_S)
    except TimeoutError:
        name = library.fault_name().decode()
        raise AssertionError(f"{kind}: {what}: {name}, call {n}") from None
    finally:
        library.fault_stop()
    name = library.fault_name()
    wrong = [text for _, text in serving.server.log.lines if "violation" in text]
    assert not wrong, f"{kind}: the client is blamed: {name}, {n}: {wrong}"
    return name


async def serves(serving, client):
    """Check that a client is served.

    A process that gets no CPU time for LIMIT_S is too late for that server, so that
    the client may try again after that time.
    """
    began = time.monotonic()
    got = await asyncio.wait_for(client(serving.place), DEADLINE_S)
    if not got and time.monotonic() - began >= LIMIT_S:
        got = await asyncio.wait_for(client(serving.place), DEADLINE_S)
    assert got or client is KINDS["h2-fails"][1], "a client received nothing"


async def sweep(kind, error):
    """Fail one call after another during exchanges with one server."""
    app, client, settings = KINDS[kind]
    serving = Serving(app, settings)
    assert await serving.begin()
    await serves(serving, client)
    n = 1
    while name := await play(kind, serving, client, n, error):
        try:
            await serves(serving, client)
        except BaseException:
            print(f"{kind}: after {name.decode()}, call {n}", file=sys.stderr)
            raise
        n += 1
        assert n < MANY
    failure = await serving.end()
    assert failure is None, failure
    return n - 1


async def start_once(app, client, settings):
    """Start a server, let it serve one client, and stop it, unless that fails."""
    with contextlib.suppress(Exception, SystemExit):
        serving = Serving(app, settings)
        if await serving.begin():
            await client(serving.place)
        await serving.end()


async def ends(starting):
    """Return whether a Task ends; if it may be stuck, within a short time."""
    done, _ = await asyncio.wait([starting], timeout=STUCK_S)
    if not done and library.fault_name().decode() not in STUCK:
        done, _ = await asyncio.wait([starting], timeout=DEADLINE_S)
    starting.cancel()
    return bool(done)


async def sweep_starts(kind, error):
    """Fail one call after another while a server starts, serves and stops."""
    app, client, settings = KINDS[kind]
    for n in range(1, MANY):
        library.fault_like(COUNTED.get(kind, b""), n, error)
        starting = asyncio.create_task(start_once(app, client, settings))
        if not await ends(starting):
            what = library.fault_name().decode()
            assert what in STUCK, f"{kind} does not end: {what}, call {n}"
            continue
        library.fault_stop()
        if not library.fault_name():
            return n - 1
    raise AssertionError("it does not end")


FUNCTIONS = {
    "libraries": lambda: _engine.libraries(),
    "adopt_orphans": lambda: _engine.adopt_orphans(),
    "access_format": lambda: _engine.access_format("combined"),
    "check_access_format": lambda: _engine.check_access_format("%(h)s %(r)s"),
    "keep_freed_memory": lambda: _engine.keep_freed_memory(1 << 20),
    "log_datagram": lambda: _engine.log_datagram("journal", 6, "text"),
}


def sweep_functions(error):
    """Fail one call after another of each function, which then raises."""
    count = 0
    for name, function in FUNCTIONS.items():
        wanted = function()
        for n in range(1, MANY):
            library.fault_like(b"", n, error)
            try:
                assert function() == wanted
                failed = False
            except (MemoryError, OSError):
                failed = True
            library.fault_stop()
            if not library.fault_name():
                assert not failed, name
                break
            assert failed, (name, library.fault_name())
            count += 1
    return count


def sweep_module(error):
    """Fail one call after another while the module is initialized."""
    for n in range(1, MANY):
        spec = importlib.util.find_spec("bolide._engine")
        library.fault_like(b"", n, error)
        try:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        except (Exception, SystemExit):
            pass
        library.fault_stop()
        if not library.fault_name():
            return n - 1
        module = None
        gc.collect()
    raise AssertionError("it does not end")


def main():
    """Sweep the kind named on the command line."""
    kind = sys.argv[1]
    error = getattr(errno, sys.argv[2]) if len(sys.argv) > 2 else errno.ENOMEM
    sys.unraisablehook = lambda unraisable: None
    warnings.simplefilter("ignore")
    if kind in KINDS and KINDS[kind][1].alpn:
        app, client, settings = KINDS[kind]
        KINDS[kind] = (app, client, settings | certificate())
    loop = asyncio.new_event_loop()  # not closed: that would wait for a call that hangs
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda *_: None)
    try:
        if kind == "module":
            count = sweep_module(error)
        elif kind == "functions":
            count = sweep_functions(error)
        elif kind.startswith("start"):
            count = loop.run_until_complete(sweep_starts(kind, error))
        else:
            count = loop.run_until_complete(sweep(kind, error))
    except BaseException:
        traceback.print_exc()
        print("after", library.fault_name().decode(), file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
    print(count)


if __name__ == "__main__":
    main()
