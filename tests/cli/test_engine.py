"""The extension module as seen from Python, without a command.

Covers src/asgi/state.c, src/py/module.c, src/py/server_gets.c, src/py/server_type.c and
src/py/tally.c.
"""

import asyncio
import gc
import importlib.util
import socket
import weakref

import pytest
from here import DEADLINE_S

from bolide import _engine
from bolide.config.config import Config


async def app(scope, receive, send):
    """Respond to each request."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


def new_server(module=_engine, **changes):
    """Return a Server of ``module`` on the running loop."""
    settings = Config("app", lifespan="off").for_engine()
    settings |= {"access_log": None}
    settings |= {"log": lambda *_: None, "log_exception": lambda *_: None, **changes}
    return module.Server(app, asyncio.get_running_loop(), settings)


def new_module():
    """Return another copy of the extension module."""
    spec = _engine.__spec__
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def get(server):
    """Start ``server``, and return its response to one request."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    server.start([(listener.detach(), 0)])
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
    return answer


def test_a_copy_of_the_module_has_its_own_types_and_serves():
    module = new_module()
    assert module is not _engine
    for name in ("Server", "ClientDisconnected", "LifespanError", "TLSError"):
        assert getattr(module, name) is not getattr(_engine, name)
    assert issubclass(module.ClientDisconnected, OSError)
    assert issubclass(module.LifespanError, RuntimeError)
    assert issubclass(module.TLSError, ValueError)

    async def main():
        server = new_server(module)
        answer = await get(server)
        server.close()
        return answer

    assert asyncio.run(main()).endswith(b"hello")


def test_a_copy_of_the_module_is_freed_with_its_free_lists():
    async def main(module):
        server = new_server(module)
        await get(server)
        server.close()
        return weakref.ref(module.Server)

    gone = asyncio.run(main(new_module()))
    gc.collect()
    assert gone() is None


def test_a_server_is_initialized_once_and_unusable_before():
    async def main():
        server = _engine.Server.__new__(_engine.Server)
        for call in (server.startup, server.stop, server.close, server.leave):
            with pytest.raises(RuntimeError, match="not initialised"):
                call()
        with pytest.raises(RuntimeError, match="not initialised"):
            server.start([])
        ready = new_server()
        with pytest.raises(RuntimeError, match="once"):
            ready.__init__(app, asyncio.get_running_loop(), {})
        ready.close()
        ready.close()

    asyncio.run(main())


def test_the_attributes_of_a_server_remain_after_its_engine():
    async def main():
        server = new_server()
        assert (server.connections, server.requests, server.has_ready) == (0, 0, False)
        await get(server)
        assert server.requests == 1
        server.close()
        assert (server.connections, server.requests, server.has_ready) == (0, 1, False)
        assert server.log_dropped == 0

    asyncio.run(main())


def test_restarts_accepts_any_truth_value():
    async def main():
        server = new_server()
        assert server.restarts is False
        server.restarts = 1
        assert server.restarts is True
        server.restarts = []
        assert server.restarts is False
        server.close()

    asyncio.run(main())


def test_each_number_of_a_tally_has_a_name_and_each_bucket_a_bound():
    names, bounds = _engine.TALLY_NAMES, _engine.TALLY_BOUNDS
    assert len(set(names)) == len(names)
    assert len(names) * 8 <= _engine.TALLY_BYTES
    assert 0 < _engine.TALLY_STATE < len(names)
    buckets = [f"latency_{i}" for i in range(len(bounds))]
    assert list(names[-len(bounds) :]) == buckets
    assert list(bounds) == sorted(set(bounds))
    assert bounds[-1] == float("inf")
    assert 0 < _engine.HISTORY_DEATHS < _engine.HISTORY_BYTES


def test_the_module_names_its_compiler():
    assert _engine.simd() in {"scalar", "sse4.2", "avx2", "neon"}
    assert _engine.has_ktls() in {True, False}
