"""Requests and answers over TLS, with the clients that people have.

Covers src/server/secure.c.
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


def test_curl_gets_an_answer(authority, localhost):
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
def test_both_versions_are_spoken(authority, localhost, version):
    context = client_context(
        authority, minimum_version=version, maximum_version=version
    )
    with Secure(hello, localhost) as serving, serving.open(context) as sock:
        for _ in range(3):
            sock.sendall(request())
            assert read_answer(sock).body == b"hello"


def test_older_versions_are_refused(authority, localhost):
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


def test_a_client_that_reads_slowly_gets_all_of_it(authority, localhost):
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


def test_the_end_is_told_by_close_notify(authority, localhost):
    context = client_context(authority)
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    with Secure(hello, localhost) as serving:
        plain = socket.create_connection(serving.place, DEADLINE_S)
        sock = context.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        )
        with sock:
            sock.sendall(request(fields="Connection: close\r\n"))
            assert read_all(sock).endswith(b"hello")  # else ssl.SSLEOFError


def test_plain_http_gets_a_clear_400(localhost):
    with Secure(hello, localhost) as serving:
        data = serving.talk(request())
    assert data.startswith(b"HTTP/1.1 400 ")
    assert data.endswith(b"Plain HTTP was sent to an HTTPS port.\r\n")


def test_garbage_ends_the_connection(localhost):
    with Secure(hello, localhost) as serving:
        assert not serving.talk(b"\x00" * 100).startswith(b"HTTP")


@pytest.mark.parametrize("offered", [["http/1.1"], ["spdy/1", "http/1.1"], []])
def test_alpn_agrees_on_http_1_1(authority, localhost, offered):
    context = client_context(authority)
    if offered:
        context.set_alpn_protocols(offered)
    with Secure(hello, localhost) as serving, serving.open(context) as sock:
        assert sock.selected_alpn_protocol() == ("http/1.1" if offered else None)
        sock.sendall(request())
        assert read_answer(sock).body == b"hello"


@pytest.mark.parametrize("http2", [False, True])
def test_alpn_of_http_1_0_alone_is_served(authority, localhost, http2):
    """curl --http1.0 offers nothing else."""
    context = client_context(authority)
    context.set_alpn_protocols(["http/1.0"])
    with (
        Secure(hello, localhost, http2=http2) as serving,
        serving.open(context) as sock,
    ):
        assert sock.selected_alpn_protocol() == "http/1.0"
        sock.sendall(request(version="1.0"))
        assert read_answer(sock).body == b"hello"


def test_alpn_without_a_common_protocol_is_refused(authority, localhost):
    """By a fatal alert of its own, 120 (RFC 7301 3.2)."""
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


def test_a_handshake_that_stalls_is_ended(localhost):
    hasty = Secure(hello, localhost, timeout_handshake=0.1)
    with hasty as serving, serving.connect() as sock:
        sock.sendall(bytes.fromhex("1603010200"))
        assert read_all(sock) == b""


def test_as_many_handshakes_a_second_are_admitted(authority, localhost):
    """The third connection waits until the second is over, and so does the fifth."""
    with Secure(hello, localhost, limit_handshakes=2) as serving:
        began = time.monotonic()
        for _ in range(5):
            assert serving.get(client_context(authority)).body == b"hello"
        assert 1.9 < time.monotonic() - began < 3.5


class Heard:
    """What an application hears of a body that does not come whole."""

    def __init__(self):
        self.messages = []
        self.has_ended = threading.Event()

    async def __call__(self, scope, receive, send):
        while not self.messages or self.messages[-1]["type"] != "http.disconnect":
            self.messages.append(await receive())
        self.has_ended.set()


@pytest.mark.parametrize("fields", ["Content-Length: 10", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("orderly", [True, False])
def test_a_truncated_body_never_passes_for_a_whole_one(
    authority, localhost, fields, orderly
):
    heard = Heard()
    with Secure(heard, localhost) as serving:
        sock = serving.open(client_context(authority))
        sock.sendall(request(method="POST", fields=fields + "\r\n") + b"1\r\na")
        if orderly:
            with contextlib.suppress(OSError):  # an answer may come
                sock.unwrap()
        else:
            # Without close_notify; closed now, unread tickets would make it a reset.
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


def test_clients_that_do_not_read_cost_no_more_than_one_send_each(authority, localhost):
    """docs/LIMITS.md: at most 325 KiB of ciphertext, whatever the answer has."""
    body = bytes(16 << 20)

    async def app(scope, receive, send):
        await answer(send, body if scope["path"] == "/large" else b"small")

    context = client_context(authority)
    with Secure(app, localhost) as serving, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(serving.open(context)) for _ in range(STALLED)]
        before = resident_bytes()
        for sock in socks:
            sock.sendall(request("/large"))
        for _ in range(3):  # of others, so that each has been written to
            assert serving.get(context).body == b"small"
        assert resident_bytes() < before + STALLED * 450_000
        # The first of them finds all of it when it reads.
        assert read_answer(socks[0]).body == body
