"""The kernel encrypts the output (kTLS); tools/ktls.sh runs a kernel that can."""

import contextlib
import hashlib
import shutil
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import pytest
from serving import DEADLINE_S, answer, read_all, read_answer, request, start
from talking import Secure, client_context
from test_attacks import Bytes, key_update, raw
from test_files import sends

from bolide.config.tls import ktls_refusal

pytestmark = pytest.mark.skipif(
    bool(ktls_refusal()), reason=f"the kernel does not encrypt here: {ktls_refusal()}"
)

MIB = 1 << 20
V2, V3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize("version", [V2, V3], ids=["1.2", "1.3"])


def secure(app, pair, **settings):
    return Secure(app, pair, **{"ktls": "auto", **settings})


def content(n):
    return hashlib.shake_128(b"k").digest(n)


def counted(name):
    """Return a counter of the kernel."""
    lines = Path("/proc/net/tls_stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)[name])


@contextlib.contextmanager
def kernel_encrypts(connections=1):
    """Assert that the kernel encrypts so many new connections within the block.

    It does so until they end.
    """
    before = counted("TlsTxSw")
    yield
    assert counted("TlsTxSw") == before + connections
    deadline = time.monotonic() + DEADLINE_S
    while counted("TlsCurrTxSw") > 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def app(scope, receive, send):
    """Respond with as many bytes as the path says; below /pieces in several parts."""
    *pieces, n = scope["path"].split("/")[1:]
    body = content(int(n))
    if not pieces:
        await answer(send, body)
        return
    await start(send)
    for at in range(0, len(body), 5000):
        part = {"body": body[at : at + 5000], "more_body": True}
        await send({"type": "http.response.body", **part})
    await send({"type": "http.response.body"})


def of(authority, version):
    """Return a client context for one version."""
    return client_context(authority, minimum_version=version, maximum_version=version)


@pytest.mark.parametrize(
    ("version", "cipher"),
    [
        (V3, "TLS_AES_128_GCM_SHA256"),
        (V3, "TLS_AES_256_GCM_SHA384"),
        (V3, "TLS_CHACHA20_POLY1305_SHA256"),
        (V2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (V2, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (V2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ],
)
def test_the_kernel_encrypts_each_cipher(authority, localhost, version, cipher):
    with (
        kernel_encrypts(),
        secure(app, localhost, ssl_ciphers=cipher) as serving,
        serving.open(of(authority, version)) as sock,
    ):
        assert sock.cipher()[0] == cipher
        for target in ("/5", "/0", f"/{MIB}", f"/pieces/{MIB}", "/16385"):
            sock.sendall(request(target))
            n = int(target.split("/")[-1])
            assert read_answer(sock).body == content(n)


def test_a_cipher_unknown_to_the_kernel_is_encrypted_in_the_process(
    authority, localhost
):
    cipher = "ECDHE-ECDSA-AES128-SHA256"
    context = of(authority, V2)
    context.set_ciphers(cipher)
    with kernel_encrypts(0), secure(app, localhost, ssl_ciphers=cipher) as serving:
        assert serving.get(context, f"/{MIB}").body == content(MIB)


def test_ktls_can_be_switched_off(authority, localhost):
    with kernel_encrypts(0), secure(app, localhost, ktls="off") as serving:
        assert serving.get(client_context(authority), "/5").body == content(5)


@VERSIONS
@pytest.mark.parametrize("n", [0, 1, 16384, 65537, 3 * MIB + 7])
def test_files_are_sent_with_sendfile(authority, localhost, tmp_path, version, n):
    path = tmp_path / "file"
    path.write_bytes(content(n))
    with (
        kernel_encrypts(),
        secure(sends(path), localhost) as serving,
        serving.open(of(authority, version)) as sock,
    ):
        for _ in range(2):
            sock.sendall(request())
            assert read_answer(sock).body == content(n)
        sock.sendall(request("/fd"))
        assert read_answer(sock).body == content(n)[1:] + b"."


def get_by_h2(serving, authority, got, *targets):
    """Return what curl receives over HTTP/2, one request after another."""
    urls = [f"https://localhost:{serving.place[1]}{target}" for target in targets]
    words = ["-sS", "-f", "--http2", "--cacert", authority.cert, "--noproxy", "*"]
    done = subprocess.run(
        ["curl", *words, "-w", "%{stderr}%{http_version}", *urls],
        stdout=got.open("wb"),
        stderr=subprocess.PIPE,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stderr == b"2" * len(targets)
    return got.read_bytes()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_kernel_encrypts_http2(authority, localhost, tmp_path):
    path, got = tmp_path / "file", tmp_path / "got"
    path.write_bytes(content(MIB))
    with kernel_encrypts(), secure(app, localhost) as serving:
        data = get_by_h2(serving, authority, got, "/5", f"/{MIB}", f"/pieces/{MIB}")
        assert data == content(5) + content(MIB) + content(MIB)
    with kernel_encrypts(), secure(sends(path), localhost) as serving:
        data = get_by_h2(serving, authority, got, "/", "/fd")
        assert data == content(MIB) + content(MIB)[1:] + b"."


def narrow(what, localhost, room):
    """Return a server whose sockets buffer about ``room`` bytes."""
    serving = secure(what, localhost)
    serving.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    return serving


def connect_with_little_room(serving):
    """Return a connection whose own socket has a small buffer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(DEADLINE_S)
    sock.connect(serving.place)
    return sock


@VERSIONS
@pytest.mark.parametrize("kind", ["body", "file"])
def test_a_slow_client_gets_everything(authority, localhost, tmp_path, version, kind):
    """Including close_notify at the end, without which the client raises."""
    path = tmp_path / "file"
    path.write_bytes(content(MIB))
    what = app if kind == "body" else sends(path)
    with kernel_encrypts(), narrow(what, localhost, 16384) as serving:
        plain = connect_with_little_room(serving)
        with of(authority, version).wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        ) as sock:
            sock.sendall(request(f"/{MIB}", fields="Connection: close\r\n"))
            time.sleep(0.3)  # a slow client
            data = read_all(sock)
    assert data.partition(b"\r\n\r\n")[2] == content(MIB)


def all_after_its_end(client, target):
    """Send a request, shut down the client's side, and return what is received."""
    client.tls.write(request(target, fields="Connection: close\r\n"))
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.sock.sendall(client.out.read())
    time.sleep(0.1)  # by then the server's socket is full
    data = b""
    while True:
        try:
            data += client.tls.read(65536)
        except ssl.SSLWantReadError:
            assert client.feed(), "it ended without close_notify"
        except ssl.SSLZeroReturnError:
            return data


@pytest.mark.parametrize("n", [50000 + 1777 * k for k in range(12)])
def test_nothing_is_lost_after_the_client_s_end(authority, localhost, n):
    """The server closes at once if the client has ended: everything is sent by then."""
    with kernel_encrypts(), narrow(app, localhost, 8192) as serving:
        serving.connect = lambda: connect_with_little_room(serving)
        with Bytes(serving, authority) as client:
            client.handshake()
            data = all_after_its_end(client, f"/{n}")
    assert data.partition(b"\r\n\r\n")[2] == content(n)


def test_an_idle_connection_ends_with_close_notify(authority, localhost):
    with kernel_encrypts(), secure(app, localhost, timeout_keep_alive=0.2) as serving:
        plain = serving.connect()
        with client_context(authority).wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        ) as sock:
            sock.sendall(request("/5"))
            assert read_answer(sock).body == content(5)
            assert sock.recv(1) == b""


@VERSIONS
def test_tickets_are_sent_by_the_kernel(authority, localhost, version):
    context = of(authority, version)
    with kernel_encrypts(2), secure(app, localhost) as serving:
        session = None
        for _ in range(2):
            with serving.open(context, session=session) as sock:
                assert sock.session_reused == (session is not None)
                sock.sendall(request("/5"))
                assert read_answer(sock).body == content(5)
                session = sock.session


def test_key_updates_of_the_client_are_followed(localhost):
    with kernel_encrypts(), secure(app, localhost) as serving, raw(serving) as client:
        for _ in range(3):
            for _ in client.send_keyupdate_request(0):
                pass
            client.write(request("/5"))
            data = b""
            while not data.endswith(content(5)):
                data += client.read(min=1, max=65536)


def test_a_request_for_a_key_update_closes_the_connection(localhost):
    with kernel_encrypts(), secure(app, localhost) as serving, raw(serving) as client:
        client.say(key_update(1))
        assert client.ending() is None
        assert any("a new key" in line for _, line in serving.log.lines)


def test_an_alert_is_sent_by_the_kernel(localhost):
    with kernel_encrypts(), secure(app, localhost) as serving, raw(serving) as client:
        client.say(key_update(2))
        assert client.ending() == 47  # illegal_parameter


def test_a_reset_ends_the_connection(authority, localhost):
    context = client_context(authority)
    with kernel_encrypts(2), secure(app, localhost) as serving:
        with serving.open(context) as sock:
            sock.sendall(request(f"/{8 * MIB}"))
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert serving.get(context, "/5").body == content(5)
        assert not serving.log.errors()


def test_plain_http_gets_an_error_response(authority, localhost):
    with kernel_encrypts(0), secure(app, localhost) as serving:
        assert b"400" in serving.talk(request("/5"))
