"""What a client over TLS, or behind a proxy, has sent before it leaves arrives."""

import contextlib
import socket
import ssl
import threading

import pytest
from serving import DEADLINE_S, Serving, answer, read_body, request
from talking import Secure, client_context


class Held:
    """Keeps the loop of ``serving`` from turning while its block runs."""

    def __init__(self, serving):
        self.held, self.release = threading.Event(), threading.Event()
        serving.loop.call_soon_threadsafe(self.hold)

    def hold(self):
        self.held.set()
        self.release.wait(DEADLINE_S)

    def __enter__(self):
        assert self.held.wait(DEADLINE_S)

    def __exit__(self, *_):
        self.release.set()


class Told:
    """An application that keeps what it is sent."""

    def __init__(self):
        self.bodies, self.ended = [], threading.Event()

    async def __call__(self, scope, receive, send):
        self.bodies.append(await read_body(receive))
        self.ended.set()
        with contextlib.suppress(OSError):
            await answer(send)


def listen_at(path):
    """Return a listening Unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    return sock


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_request_over_tls_of_a_client_that_closes_at_once_is_served(
    authority, localhost, tmp_path, kind, version
):
    """The client closes without close_notify, with tickets that it has not read."""
    path, told = str(tmp_path / "socket"), Told()
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion[version]

    class Server(Secure):
        def listen(self):
            return listen_at(path) if kind == "unix" else super().listen()

    with Server(told, localhost) as serving:
        plain = serving.connect()
        sock = context.wrap_socket(plain, server_hostname="localhost")
        with Held(serving):
            sock.sendall(request(method="POST", body=b"x" * 10_000))
            sock.close()
        assert told.ended.wait(DEADLINE_S)
    assert told.bodies == [b"x" * 10_000]


def test_the_last_flight_and_a_request_arrive_together(authority, localhost, tmp_path):
    """The server's tickets fail to leave; the request is served all the same."""
    path, told = str(tmp_path / "socket"), Told()
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(authority).wrap_bio(into, out, server_hostname="localhost")

    class Server(Secure):
        def listen(self):
            return listen_at(path)

    with Server(told, localhost) as serving, serving.connect() as sock:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(out.read())
                into.write(sock.recv(65536))
        tls.write(request(method="POST", body=b"x"))
        with Held(serving):
            sock.sendall(out.read())
            sock.close()
        assert told.ended.wait(DEADLINE_S)
    assert told.bodies == [b"x"]


def test_a_request_behind_a_proxy_header_is_served(tmp_path):
    path, told = str(tmp_path / "socket"), Told()
    line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
    settings = {
        "bind": [f"unix:{path},proxy-protocol=v1"],
        "forwarded_allow_ips": "unix",
    }

    class Server(Serving):
        def listen(self):
            return listen_at(path + "-unused")

        async def serve(self):
            self.listener.close()
            await serve_binds(self)

    with Server(told, **settings) as serving, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        with Held(serving):
            sock.sendall(line + request(method="POST", body=b"hello"))
            sock.close()
        assert told.ended.wait(DEADLINE_S)
    assert told.bodies == [b"hello"]


async def serve_binds(serving):
    """Serve on what the settings name."""
    import asyncio

    serving.loop = asyncio.get_running_loop()
    task = asyncio.create_task(serving.server.serve())
    while not serving.server.started and not task.done():
        await asyncio.sleep(0.001)
    serving.ready.set()
    await task
