"""Requests and responses over TLS, with common clients.

Covers src/server/tls_transport.c.
"""

import contextlib
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from serving import DEADLINE_S, answer, read_all, read_answer, read_body, request
from talking import Secure, client_context, hello

MIB = 1 << 20


def test_curl_gets_a_response(authority, localhost):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    with Secure(hello, localhost) as serving:
        url = f"https://localhost:{serving.place[1]}/"
        done = subprocess.run(
            ["curl", "-sS", "--cacert", authority.cert, "--noproxy", "*", url],
            capture_output=True,
            timeout=DEADLINE_S,
            check=True,
        )
    assert done.stdout == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_supported(authority, localhost, version):
    context = client_context(
        authority, minimum_version=version, maximum_version=version
    )
    with Secure(hello, localhost) as serving, serving.open(context) as sock:
        for _ in range(3):
            sock.sendall(request())
            assert read_answer(sock).body == b"hello"


def test_older_versions_are_rejected(authority, localhost):
    with Secure(hello, localhost) as serving:
        words = ["-connect", f"127.0.0.1:{serving.place[1]}", "-tls1_1"]
        done = subprocess.run(
            ["openssl", "s_client", *words, "-cipher", "DEFAULT@SECLEVEL=0"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode != 0
    assert b"protocol version" in done.stderr


@pytest.mark.parametrize("n", [0, 1, 1350, 16384, 16385, 300_000, 3 * MIB])
def test_bodies_of_every_size_arrive(authority, localhost, n):
    async def echo(scope, receive, send):
        await answer(send, await read_body(receive))

    body = hashlib.shake_128(b"a").digest(n)
    with (
        Secure(echo, localhost) as serving,
        serving.open(client_context(authority)) as sock,
    ):
        sock.sendall(request(method="POST", body=body))
        assert read_answer(sock, "POST").body == body


def test_a_slow_reader_gets_the_whole_response(authority, localhost):
    body = hashlib.shake_128(b"b").digest(2 * MIB)

    async def app(scope, receive, send):
        await answer(send, body)

    with Secure(app, localhost) as serving:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(DEADLINE_S)
        plain.connect(serving.place)
        context = client_context(authority)
        with context.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(request(fields="Connection: close\r\n"))
            data = bytearray()
            while piece := sock.recv(1000):
                data += piece
    assert data.partition(b"\r\n\r\n")[2] == body


def test_requests_in_one_record_are_answered_in_order(authority, localhost):
    async def app(scope, receive, send):
        await answer(send, scope["path"].encode())

    with (
        Secure(app, localhost) as serving,
        serving.open(client_context(authority)) as sock,
    ):
        sock.sendall(request("/a") + request("/b", "Connection: close\r\n"))
        data = read_all(sock)
    assert data.index(b"\r\n\r\n/a") < data.index(b"\r\n\r\n/b")


def test_a_connection_ends_with_close_notify(authority, localhost):
    context = client_context(authority)
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    with Secure(hello, localhost) as serving:
        plain = socket.create_connection(serving.place, DEADLINE_S)
        sock = context.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        )
        with sock:
            sock.sendall(request(fields="Connection: close\r\n"))
            assert read_all(sock).endswith(b"hello")  # otherwise ssl.SSLEOFError


def test_plain_http_gets_a_clear_400(localhost):
    with Secure(hello, localhost) as serving:
        data = serving.talk(request())
    assert data.startswith(b"HTTP/1.1 400 ")
    assert data.endswith(b"Plain HTTP was sent to an HTTPS port.\r\n")


def test_garbage_ends_the_connection(localhost):
    with Secure(hello, localhost) as serving:
        assert not serving.talk(b"\x00" * 100).startswith(b"HTTP")


@pytest.mark.parametrize("offered", [["http/1.1"], ["spdy/1", "http/1.1"], []])
def test_alpn_selects_http_1_1(authority, localhost, offered):
    context = client_context(authority)
    if offered:
        context.set_alpn_protocols(offered)
    with Secure(hello, localhost) as serving, serving.open(context) as sock:
        assert sock.selected_alpn_protocol() == ("http/1.1" if offered else None)
        sock.sendall(request())
        assert read_answer(sock).body == b"hello"


@pytest.mark.parametrize("http2", [False, True])
def test_alpn_of_http_1_0_alone_is_served(authority, localhost, http2):
    """curl --http1.0 offers only that."""
    context = client_context(authority)
    context.set_alpn_protocols(["http/1.0"])
    with (
        Secure(hello, localhost, http2=http2) as serving,
        serving.open(context) as sock,
    ):
        assert sock.selected_alpn_protocol() == "http/1.0"
        sock.sendall(request(version="1.0"))
        assert read_answer(sock).body == b"hello"


def test_alpn_without_a_common_protocol_is_rejected(authority, localhost):
    """With the fatal alert 120, no_application_protocol (RFC 7301 3.2)."""
    context = client_context(authority)
    context.set_alpn_protocols(["spdy/1"])
    answers, hellos = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(answers, hellos, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with Secure(hello, localhost) as serving, serving.connect() as sock:
        sock.sendall(hellos.read())
        record = read_all(sock)
    assert record[:1] + record[3:] == bytes([21, 0, 2, 2, 120])


def test_a_stalled_handshake_ends_the_connection(localhost):
    hasty = Secure(hello, localhost, timeout_handshake=0.1)
    with hasty as serving, serving.connect() as sock:
        sock.sendall(bytes.fromhex("1603010200"))
        assert read_all(sock) == b""


def test_handshakes_per_second_are_limited(authority, localhost):
    """The third connection waits until the second is over, and so does the fifth."""
    with Secure(hello, localhost, limit_handshakes=2) as serving:
        began = time.monotonic()
        for _ in range(5):
            assert serving.get(client_context(authority)).body == b"hello"
        assert 1.9 < time.monotonic() - began < 3.5


class Received:
    """What an application receives of an incomplete body."""

    def __init__(self):
        self.messages = []
        self.has_ended = threading.Event()

    async def __call__(self, scope, receive, send):
        while not self.messages or self.messages[-1]["type"] != "http.disconnect":
            self.messages.append(await receive())
        self.has_ended.set()


@pytest.mark.parametrize("fields", ["Content-Length: 10", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("orderly", [True, False])
def test_a_truncated_body_is_never_taken_for_a_complete_one(
    authority, localhost, fields, orderly
):
    heard = Received()
    with Secure(heard, localhost) as serving:
        sock = serving.open(client_context(authority))
        sock.sendall(request(method="POST", fields=fields + "\r\n") + b"1\r\na")
        if orderly:
            with contextlib.suppress(OSError):  # a response may arrive
                sock.unwrap()
        else:
            # Without close_notify. Closing now would send a reset because of unread
            # tickets.
            sock = socket.socket(fileno=sock.detach())
            sock.shutdown(socket.SHUT_WR)
        assert heard.has_ended.wait(DEADLINE_S)
        sock.close()
    assert all(m.get("more_body", True) for m in heard.messages)
    assert heard.messages[-1]["type"] == "http.disconnect"


STALLED = 24


def resident_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        (kib,) = (line.split()[1] for line in status if line.startswith("VmRSS:"))
    return int(kib) * 1024


def test_clients_that_do_not_read_cost_at_most_one_send_each(authority, localhost):
    """docs/LIMITS.md: at most 325 KiB of ciphertext, however long the response is."""
    body = bytes(16 << 20)

    async def app(scope, receive, send):
        await answer(send, body if scope["path"] == "/large" else b"small")

    context = client_context(authority)
    with Secure(app, localhost) as serving, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(serving.open(context)) for _ in range(STALLED)]
        before = resident_bytes()
        for sock in socks:
            sock.sendall(request("/large"))
        for _ in range(
            3
        ):  # responses to other clients, so that each client was written to
            assert serving.get(context).body == b"small"
        assert resident_bytes() < before + STALLED * 450_000
        # The first of them receives its whole response when it reads.
        assert read_answer(socks[0]).body == body
