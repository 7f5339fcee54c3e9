"""Programs that use uvicorn's names: each name has the same effect here."""

import asyncio
import signal
import ssl
import sys
import time
import warnings
from pathlib import Path

import apps
import pytest
from command import DEADLINE_S, connect, read_all, read_until, request, run, serve
from here import Here, Lines

import bolide

sys.path.insert(1, str(Path(__file__).parents[1] / "tls"))

from authority import Authority


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A certificate and its key."""
    authority = Authority(tmp_path_factory.mktemp("authority"), "Tests")
    return authority.issue("localhost", "DNS:localhost")


def quiet(app, **settings):
    """Return a Server on a free port that collects what it logs."""
    server = bolide.Server(bolide.Config(app, port=0, access_log=False, **settings))
    server.log = Lines()
    return server


@pytest.mark.parametrize(
    ("given", "named"),
    [((signal.SIGINT, None), {}), ((), {"sig": signal.SIGTERM, "frame": None})],
)
def test_handle_exit_accepts_positional_and_keyword_arguments(given, named):
    with Here(apps.hello) as here:
        with connect(here.port) as peer:
            peer.sendall(request())
            assert read_all(peer).endswith(b"hello")
        here.server.handle_exit(*given, **named)
        assert here.server.should_exit
        here.thread.join(DEADLINE_S)
        assert not here.thread.is_alive()


def test_handle_exit_twice_stops_at_once_and_not_the_program():
    with Here(apps.stuck) as here, connect(here.port) as peer:
        peer.sendall(request())
        end = time.monotonic() + DEADLINE_S
        while not len(here.server.server_state.tasks):
            assert time.monotonic() < end
            time.sleep(0.01)
        for _ in range(2):
            here.server.handle_exit(sig=signal.SIGINT, frame=None)
        here.thread.join(DEADLINE_S)
        assert not here.thread.is_alive()
        assert read_all(peer) == b""


def test_server_state_counts_requests_connections_and_tasks():
    seen = []

    async def app(scope, receive, send):
        state = server.server_state
        seen.append((len(state.connections), len(state.tasks), state.total_requests))
        await apps.answer(send, b"hello")

    with Here(app) as here:
        server = here.server
        with connect(here.port) as peer, connect(here.port) as idle:
            idle.sendall(request(fields=""))
            read_until(idle, b"hello")
            peer.sendall(request())
            assert read_all(peer).endswith(b"hello")
        assert [(tasks, total) for _, tasks, total in seen] == [(1, 1), (1, 2)]
        assert seen[1][0] == 2
        assert server.server_state.total_requests == 2
        assert len(server.server_state.tasks) == 0


def test_server_state_exists_before_the_start_and_after_the_stop():
    server = quiet(apps.hello)
    assert server.server_state.total_requests == 0
    assert list(server.server_state.connections) == []
    with Here(apps.hello) as here:
        here.server.should_exit = True
        here.thread.join(DEADLINE_S)
        assert list(here.server.server_state.tasks) == []


@pytest.mark.parametrize(("given", "least", "most"), [((7, 0), 7, 7), ((7, 5), 7, 12)])
def test_limit_max_requests_of_a_server_is_drawn_once(given, least, most):
    limit, jitter = given
    settings = {"limit_max_requests": limit, "limit_max_requests_jitter": jitter}
    server = quiet(apps.hello, **settings)
    assert least <= server.limit_max_requests <= most
    assert server.limit_max_requests == server.limit_max_requests
    assert quiet(apps.hello).limit_max_requests is None


def test_load_app_returns_the_application_and_leaves_the_config_as_it_was():
    config = bolide.Config("apps:hello", app_dir=str(Path(__file__).parent))
    assert config.load_app() is apps.hello
    assert not config.loaded
    assert bolide.Config(apps.hello).load_app() is apps.hello
    with pytest.raises(bolide.AppError):
        bolide.Config("apps:nothing", app_dir=str(Path(__file__).parent)).load_app()


def test_ssl_is_a_context_if_tls_is_configured(pair):
    plain, secure = bolide.Config("a:b"), bolide.Config("a:b", **pair.settings())
    assert (plain.is_ssl, plain.ssl) == (False, None)
    assert secure.is_ssl
    assert isinstance(secure.ssl, ssl.SSLContext)
    assert secure.ssl is secure.ssl


def test_an_ssl_context_factory_is_enough_for_tls(pair):
    def make(config, default):
        context = default()
        context.load_cert_chain(pair.cert, pair.key)
        return context

    config = bolide.Config("a:b", ssl_context_factory=make)
    assert config.is_ssl
    assert isinstance(config.ssl, ssl.SSLContext)


def test_an_application_that_cannot_be_loaded_ends_with_1():
    code, _, text = run("apps:nothing")
    assert code == 1
    assert "nothing" in text


def in_loop(main):
    """Run a coroutine function in a new loop, with a deadline."""

    async def bounded():
        async with asyncio.timeout(DEADLINE_S):
            return await main()

    return asyncio.run(bounded())


def test_a_server_can_serve_only_once():
    async def main():
        server = quiet(apps.hello)
        server.should_exit = True
        await server.serve()
        with pytest.raises(RuntimeError, match="has already served; create another"):
            await server.serve()

    in_loop(main)


def test_shutdown_before_startup_does_nothing():
    async def main():
        await quiet(apps.hello).shutdown()

    in_loop(main)


@pytest.mark.parametrize("call", ["server", "run"])
def test_run_in_a_running_loop_is_one_clear_error(call):
    async def main():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeError, match=r"await Server\(.*\)\.serve\("):
                if call == "server":
                    quiet(apps.hello).run()
                else:
                    bolide.run(apps.hello, port=0)

    in_loop(main)


def test_a_stop_reads_no_files(pair, tmp_path):
    """The ticket key file was deleted meanwhile; the application stops gracefully."""
    files = {x: tmp_path / x for x in ("cert", "key", "ticket")}
    files["cert"].write_bytes(pair.cert.read_bytes())
    files["key"].write_bytes(pair.key.read_bytes())
    files["ticket"].write_bytes(b"k" * 48)
    words = ["--ssl-certfile", str(files["cert"]), "--ssl-keyfile", str(files["key"])]
    words += ["--ssl-ticket-key", str(files["ticket"])]
    with serve("lifespan", *words) as command:
        command.where()
        for path in files.values():
            path.unlink()
        assert command.stop() == 0
        told = command.out.rest() + command.err.rest()
        assert told.count("lifespan.shutdown") == 1
