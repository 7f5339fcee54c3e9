"""What a client over TLS or behind a proxy sent before it disconnected is received."""

import contextlib
import socket
import ssl
import threading

import pytest
from rawframes import PREFACE, headers, settings
from serving import DEADLINE_S, LOOPS, Serving, answer, read_body, request
from talking import Secure, client_context

CLIENTS = 20


class Held:
    """Keeps the loop of ``serving`` from turning within its block."""

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
    """An application that records what it receives."""

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
    """The client closes without close_notify and without reading its tickets."""
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


@pytest.mark.parametrize("pieces", ["one record", "two records"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("loop", LOOPS)
def test_http2_requests_of_clients_that_close_at_once_are_served(
    authority, localhost, loop, version, pieces
):
    """Neither SETTINGS nor tickets are read, so the close becomes a reset.

    A reset discards what the client's kernel has not sent yet; TCP_NODELAY makes it
    send everything before.
    """
    paths, all_came = set(), threading.Event()
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion[version]
    context.set_alpn_protocols(["h2"])

    async def app(scope, receive, send):
        paths.add(scope["path"])
        if len(paths) == CLIENTS:
            all_came.set()
        with contextlib.suppress(OSError):
            await answer(send)

    with Secure(app, localhost, loop=loop) as serving:
        for n in range(CLIENTS):
            plain = serving.connect()
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = context.wrap_socket(plain, server_hostname="localhost")
            sent = [PREFACE + settings(), get(f"/{n}")]
            for piece in sent if pieces == "two records" else [b"".join(sent)]:
                sock.sendall(piece)
            sock.close()
        all_came.wait(DEADLINE_S)
    assert sorted(paths) == sorted(f"/{n}" for n in range(CLIENTS))


def get(path):
    """Return HEADERS of a GET of ``path`` on stream 1."""
    block = b"\x82\x87\x41\x01a\x04" + bytes([len(path)]) + path.encode()
    return headers(1, block)


def test_the_last_flight_and_a_request_arrive_together(authority, localhost, tmp_path):
    """The server fails to send its tickets, but the request is served."""
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


def test_a_request_after_a_proxy_header_is_served(tmp_path):
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
    """Serve on the binds of ``settings``."""
    import asyncio

    serving.loop = asyncio.get_running_loop()
    task = asyncio.create_task(serving.server.serve())
    while not serving.server.started and not task.done():
        await asyncio.sleep(0.001)
    serving.ready.set()
    await task
