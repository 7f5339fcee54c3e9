"""G6 to G19 over TLS and HTTP/2, where files are read into buffers."""

import contextlib
import fcntl
import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import termios
import time

import pytest
from serving import DEADLINE_S, read_all, read_answer, request, start
from talking import Secure, client_context

MIB = 1 << 20


def content(n):
    return hashlib.shake_128(b"t").digest(n)


def sends(path):
    """Return an application that sends the file by path, or at /fd by descriptor."""

    async def app(scope, receive, send):
        await start(send)
        if scope["path"] == "/fd":
            with path.open("rb") as file:
                message = {"file": file, "offset": 1, "more_body": True}
                await send({"type": "http.response.zerocopysend", **message})
                await send({"type": "http.response.body", "body": b"."})
        else:
            await send({"type": "http.response.pathsend", "path": str(path)})

    return app


@contextlib.contextmanager
def over_tls(path, authority, localhost):
    """Yield a connection to a server that sends ``path``."""
    with (
        Secure(sends(path), localhost, pathsend=True) as serving,
        serving.open(client_context(authority)) as sock,
    ):
        yield sock


@pytest.mark.parametrize("n", [0, 1, 16385, 65536, 3 * MIB + 7])
def test_G19_files_are_sent_over_tls(authority, localhost, tmp_path, n):
    path = tmp_path / "file"
    path.write_bytes(content(n))
    with over_tls(path, authority, localhost) as sock:
        for _ in range(2):
            sock.sendall(request())
            assert read_answer(sock).body == content(n)
        sock.sendall(request("/fd"))
        assert read_answer(sock).body == content(n)[1:] + b"."


def test_G19_a_slow_client_over_tls_gets_the_whole_file(authority, localhost, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content(2 * MIB))
    with Secure(sends(path), localhost, pathsend=True) as serving:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(DEADLINE_S)
        plain.connect(serving.place)
        context = client_context(authority)
        with context.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(request(fields="Connection: close\r\n"))
            data = read_all(sock)
    assert data.partition(b"\r\n\r\n")[2] == content(2 * MIB)


def test_G19_a_large_file_over_tls_needs_no_memory(authority, localhost, tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(512 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with over_tls(path, authority, localhost) as sock:
        sock.sendall(request(fields="Connection: close\r\n"))
        room, got = bytearray(MIB), 0
        while k := sock.recv_into(room):
            got += k
    assert got > 512 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 30_000


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("n", [0, 10, 16385, 5 * MIB + 3])
def test_G19_files_are_sent_over_http2(authority, localhost, tmp_path, scheme, n):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    path, got = tmp_path / "file", tmp_path / "got"
    path.write_bytes(content(n))
    settings = {} if scheme == "https" else {"ssl_certfile": None, "ssl_keyfile": None}
    with Secure(sends(path), localhost, pathsend=True, **settings) as serving:
        url = f"{scheme}://localhost:{serving.place[1]}"
        words = ["-sS", "-f", "--cacert", authority.cert, "--noproxy", "*"]
        words += ["--http2" if scheme == "https" else "--http2-prior-knowledge"]
        for target, wanted in (("/", content(n)), ("/fd", content(n)[1:] + b".")):
            done = subprocess.run(
                ["curl", *words, "-w", "%{http_version}", "-o", got, url + target],
                capture_output=True,
                timeout=DEADLINE_S,
                check=True,
            )
            assert done.stdout == b"2"
            assert (got.read_bytes() if got.exists() else b"") == wanted
            got.unlink(missing_ok=True)


def connect_over_unix(path, context):
    """Return a TLS connection to a server's Unix socket."""
    plain = socket.socket(socket.AF_UNIX)
    plain.settimeout(DEADLINE_S)
    plain.connect(path)
    return context.wrap_socket(plain, server_hostname="localhost")


def rest_of(sock):
    """Return what is received until the connection ends in any way."""
    data = bytearray()
    while True:
        try:
            piece = sock.recv(MIB)
        except OSError:  # a reset, or an end without close_notify
            return bytes(data)
        if not piece:
            return bytes(data)
        data += piece


class Small(Secure):
    """Serves over sockets with small buffers, so that a slow peer stops the server
    from sending.
    """

    def __init__(self, kind, tmp_path, *args):
        self.kind, self.path = kind, str(tmp_path / "socket")
        super().__init__(*args, pathsend=True)

    def listen(self):
        if self.kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(self.path)
            sock.listen()
            return sock
        sock = super().listen()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        return sock

    def dial(self, context):
        """Return a connection."""
        if self.kind == "unix":
            return connect_over_unix(self.path, context)
        return self.open(context)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
@pytest.mark.parametrize("left", [0, 1, 100_000, 1 * MIB + 5000])
def test_G19_a_file_truncated_during_a_tls_response_ends_the_connection(
    authority, localhost, tmp_path, kind, left
):
    """The response is cut, no other bytes are sent, and the server continues to
    serve.
    """
    path = tmp_path / "file"
    path.write_bytes(content(8 * MIB))
    context = client_context(authority)
    with Small(kind, tmp_path, sends(path), localhost) as serving:
        with serving.dial(context) as sock:
            sock.sendall(request())
            data = sock.recv(1000)
            assert data.startswith(b"HTTP/1.1 200")
            wait_until_blocked(sock)
            os.truncate(path, left)
            data += rest_of(sock)
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"content-length: %d" % (8 * MIB) in head
        assert len(body) < 8 * MIB
        assert body == content(8 * MIB)[: len(body)]
        with serving.dial(context) as sock:
            sock.sendall(request())
            answer = read_answer(sock)
        assert answer.is_whole
        assert answer.body == content(8 * MIB)[:left]
    assert any("file" in text for _, text in serving.log.lines), serving.log.lines


def wait_until_blocked(sock):
    """Wait until a socket that is not read receives no more bytes."""
    before, now = -1, 0
    while now != before:
        time.sleep(0.1)
        before, now = now, unread(sock)


def unread(sock):
    """Return how many bytes a socket has for us to read."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)
