"""``bolide.run``, ``bolide.Config`` and ``bolide.Server`` from a program."""

import asyncio
import os
import re
import signal
import socket
import threading

import apps
import pytest
from command import DEADLINE_S, HERE, Command, connect, read_all, request, talk
from here import Here, Lines

import bolide


def in_loop(main):
    """Run a coroutine function in a new loop, with a deadline."""

    async def bounded():
        async with asyncio.timeout(DEADLINE_S):
            return await main()

    return asyncio.run(bounded())


def quiet(app, **settings):
    settings = {"port": 0, "access_log": False, **settings}
    server = bolide.Server(bolide.Config(app, **settings))
    server.log = Lines()
    return server


async def started(server):
    while not server.started:
        await asyncio.sleep(0.001)


def listener():
    sock = socket.create_server(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


async def fetch(port):
    return await asyncio.to_thread(talk, port, request())


def test_a_server_serves_inside_a_running_loop_until_should_exit():
    async def main():
        server = quiet(apps.hello)
        sock, port = listener()
        serving = asyncio.create_task(server.serve([sock]))
        await started(server)
        assert (await fetch(port)).endswith(b"hello")
        server.should_exit = True
        await serving
        assert not server.started
        with pytest.raises(ConnectionRefusedError):
            connect(port)

    in_loop(main)


def test_should_exit_can_be_set_by_a_thread():
    with Here(apps.hello) as server:
        assert talk(server.port, request()).endswith(b"hello")
        server.server.should_exit = True
        server.thread.join(DEADLINE_S)
        assert not server.thread.is_alive()


def test_should_exit_before_the_start_starts_nothing():
    calls = []

    async def app(scope, receive, send):
        calls.append(scope["type"])

    server = quiet(app)
    server.should_exit = True
    in_loop(server.serve)
    assert calls == []


def record_lifespan(calls):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            return await apps.answer(send, b"hello")
        for _ in range(2):
            message = await receive()
            calls.append(message["type"])
            await send({"type": message["type"] + ".complete"})

    return app


def test_cancelling_serve_stops_gracefully():
    calls = []

    async def main():
        server = quiet(record_lifespan(calls))
        serving = asyncio.create_task(server.serve())
        await started(server)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert not server.started

    in_loop(main)
    assert calls == ["lifespan.startup", "lifespan.shutdown"]


def test_force_exit_waits_for_nothing():
    calls = []

    async def main():
        server = quiet(record_lifespan(calls))
        server.config.app = wrapped
        sock, port = listener()
        serving = asyncio.create_task(server.serve([sock]))
        await started(server)
        with connect(port) as peer:
            peer.sendall(request())
            await began.wait()
            server.force_exit = True
            await serving
            assert await asyncio.to_thread(read_all, peer) == b""

    began = asyncio.Event()
    lifespan = record_lifespan(calls)

    async def wrapped(scope, receive, send):
        if scope["type"] == "lifespan":
            return await lifespan(scope, receive, send)
        began.set()
        await asyncio.Event().wait()

    in_loop(main)
    assert calls == ["lifespan.startup"]


@pytest.mark.parametrize("answers", [False, True])
def test_an_unfinished_lifespan_is_cancelled(answers):
    """A stop before the startup is complete, and a forced one, leave no task behind."""
    calls = []

    async def app(scope, receive, send):
        await receive()
        try:
            if answers:
                await send({"type": "lifespan.startup.complete"})
            asked.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            calls.append("cancelled")
            raise

    async def main():
        server = quiet(app)
        serving = asyncio.create_task(server.serve())
        await (started(server) if answers else asked.wait())
        server.force_exit = True
        await serving
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asked = asyncio.Event()
    in_loop(main)
    assert calls == ["cancelled"]


def test_serve_raises_if_it_cannot_start():
    async def failed(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(bolide.AppError, match='no module "no_such_module"'):
        in_loop(quiet("no_such_module:app").serve)
    with pytest.raises(bolide.LifespanError, match="no database"):
        in_loop(quiet(failed).serve)
    sock, port = listener()
    with sock, pytest.raises(bolide.BindError, match="the address is in use"):
        in_loop(quiet(apps.hello, port=port).serve)


def test_the_application_is_shut_down_if_listening_fails():
    """Another server may take the address between bind() and listen()."""
    calls = []
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]

        async def app(scope, receive, send):
            first.listen()
            await record_lifespan(calls)(scope, receive, send)

        with pytest.raises(bolide.BindError, match=f"{port}: the address is in use"):
            in_loop(quiet(app, port=port).serve)
    assert calls == ["lifespan.startup", "lifespan.shutdown"]


def test_signal_handlers_are_installed_only_while_serving():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def main():
        server = quiet(apps.hello)
        serving = asyncio.create_task(server.serve())
        await started(server)
        assert signal.getsignal(signal.SIGTERM) == server.handle_exit
        server.should_exit = True
        await serving

    in_loop(main)
    after = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert after == before


def test_a_signal_in_serve_is_raised_again_after_the_stop():
    code = (
        "import asyncio, apps, bolide, sys\n"
        "config = bolide.Config('apps:lifespan', port=0)\n"
        "asyncio.run(bolide.Server(config).serve())"
    )
    with Command(code="import sys; sys.path.insert(0, '.')\n" + code) as command:
        command.port()
        command.signal(signal.SIGTERM)
        assert command.wait() == -signal.SIGTERM
        assert "lifespan.shutdown\n" in command.err.rest()


def test_run_returns_after_a_signal():
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "import apps, bolide\n"
        "bolide.run(apps.hello, port=0, timeout_keep_alive=1)\n"
        "print('continued')"
    )
    with Command(code=code) as command:
        assert talk(command.port(), request()).endswith(b"hello")
        command.signal(signal.SIGINT)
        assert command.wait() == 0
        assert command.out.rest().endswith("continued\n")


def test_run_exits_with_the_codes_of_the_command(capsys):
    with pytest.raises(SystemExit) as ended:
        bolide.run("no_such_module:app")
    assert ended.value.code == 1
    assert 'there is no module "no_such_module"' in capsys.readouterr().err


def test_run_rejects_unusable_settings():
    with pytest.raises(bolide.ConfigError, match="port takes 0 to 65535, not 70000"):
        bolide.run(apps.hello, port=70000)
    with pytest.raises(TypeError, match="no_such_setting"):
        bolide.run(apps.hello, no_such_setting=1)


def test_a_server_in_a_thread_installs_no_signal_handlers():
    before = signal.getsignal(signal.SIGTERM)
    with Here(apps.hello) as server:
        assert talk(server.port, request()).endswith(b"hello")
        assert signal.getsignal(signal.SIGTERM) is before
    assert threading.current_thread() is threading.main_thread()


def test_the_version_is_that_of_the_build():
    text = (HERE.parents[1] / "meson.build").read_text(encoding="utf-8")
    assert re.search(r"version: '([^']+)'", text).group(1) == bolide.__version__


def test_the_headers_of_the_c_api_are_installed():
    assert os.path.isfile(os.path.join(bolide.get_include(), "pyawaitable.h"))
