"""Headers of the PROXY protocol: the client they name, and what is rejected.

Covers src/server/preamble.c.
"""

import shutil
import socket
import ssl
import time

import pytest
from authority import Authority
from command import Command, connect, talk
from preambles import SIGNATURE, V4, V6, Proxied, block, checked, line
from serving import DEADLINE_S, answer, read_all, read_answer, request
from talking import client_context

CLOSE = "Connection: close\r\n"
CLIENT = ("203.0.113.7", 4711)


def scopes_of(pieces, version="any", **settings):
    """Return the scopes of the requests on one connection, and what was received."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Proxied(app, version, **settings) as serving, serving.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
        return scopes, read_all(sock), serving.log.lines


def client_of(header, version="any", **settings):
    """Return the client of a request that follows a header."""
    (scope,), _, _ = scopes_of([header + request("/", CLOSE)], version, **settings)
    return scope["client"]


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (line(), CLIENT),
        (line("2001:db8::7", kind="TCP6", to="::1"), ("2001:db8::7", 4711)),
        (block(V4), CLIENT),
        (block(V6, family=0x21), ("2001:db8::7", 4711)),
        (block(V4 + b"\xea\x00\x03abc\x04\x00\x00"), CLIENT),
        (checked(V4), CLIENT),
        (block(b"/run/a" + b"\x00" * 210, family=0x31), None),
    ],
)
def test_a_header_names_the_client(header, client):
    assert client_of(header) == client


@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", block(b"", 0x20, 0), block(V4, 0x20), block(b"", 0x21, 0)],
)
def test_with_a_local_header_the_proxy_is_the_client(header):
    assert client_of(header)[0] == "127.0.0.1"


@pytest.mark.parametrize("header", [line(), block(V6, family=0x21), checked(V4)])
def test_a_header_may_be_split_anywhere(header):
    sent = header + request("/", CLOSE)
    ways = [[sent[i : i + 1] for i in range(len(sent))]]
    ways += [[sent[:i], sent[i:]] for i in range(1, len(header) + 3)]
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["client"])
        await answer(send)

    with Proxied(app, "any") as serving:
        for pieces in ways:
            with serving.connect() as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for piece in pieces:
                    sock.sendall(piece)
                    # The server usually reads what was sent before the rest arrives.
                    time.sleep(0)
                assert read_all(sock).startswith(b"HTTP/1.1 200 ")
    assert len(set(seen)) == 1
    assert len(seen) == len(ways)


def test_all_requests_of_the_connection_have_the_client():
    scopes, _, _ = scopes_of([line(), request(), request("/", CLOSE)])
    assert [scope["client"] for scope in scopes] == [CLIENT] * 2


@pytest.mark.parametrize(
    ("version", "header"),
    [
        ("any", b""),
        ("any", line("203.0.113.256")),
        ("any", line(port="65iii")),
        ("any", line(port=100000)),
        ("any", b"PROXY " + b"a" * 200),
        ("any", block(V4[:-1])),
        ("any", block(V4, 0x22)),
        ("any", block(V4, 0x21, 0x12)),
        ("any", checked(V4)[:-1] + b"\x00"),
        ("any", SIGNATURE[:-1] + b"\x00" + block(V4)[12:]),
        ("v1", block(V4)),
        ("v2", line()),
    ],
)
def test_an_invalid_header_is_rejected_and_logged(version, header):
    sent = header + request("/", CLOSE)
    scopes, data, lines = scopes_of([sent], version)
    assert not scopes
    assert data.startswith(b"HTTP/1.1 400 ")
    assert any("a malformed PROXY header" in text for _, text in lines)


@pytest.mark.parametrize("header", [line(), block(V4), b""])
def test_an_untrusted_peer_is_rejected(header):
    sent = header + request("/", CLOSE)
    scopes, data, lines = scopes_of_stranger(sent)
    assert (scopes, data) == ([], b"")
    assert any("peers in --forwarded-allow-ips" in text for _, text in lines)


def scopes_of_stranger(sent):
    """Return what happens to a peer that is not a proxy."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)

    with Proxied(app, "any", forwarded_allow_ips="10.0.0.1") as serving:
        try:
            data = serving.talk(sent)
        except (BrokenPipeError, ConnectionResetError):
            data = b""
        return scopes, data, serving.log.lines


def test_a_header_has_a_deadline():
    scopes, data, lines = scopes_of([line()[:-1]], timeout_head=0.2)
    assert (scopes, data) == ([], b"")
    assert any("the PROXY header did not arrive within" in text for _, text in lines)


def test_a_connection_without_any_byte_is_not_logged():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)

    with Proxied(app, "any") as serving:
        with serving.connect() as sock:
            sock.shutdown(socket.SHUT_WR)
            read_all(sock)
        assert not [text for level, text in serving.log.lines if level >= 30]
    assert not scopes


@pytest.mark.parametrize(
    ("client", "named"), [("127.0.0.1", "6.6.6.6"), ("203.0.113.7", "203.0.113.7")]
)
def test_forwarding_fields_are_trusted_by_the_named_client(client, named):
    fields = "X-Forwarded-For: 6.6.6.6\r\n" + CLOSE
    (scope,), _, _ = scopes_of([line(client) + request("/", fields)])
    assert scope["client"][0] == named


def test_without_proxy_headers_the_header_is_still_read():
    assert client_of(line(), proxy_headers=False) == CLIENT


# Over TLS


@pytest.fixture(scope="module")
def localhost(tmp_path_factory):
    """An authority, and a certificate for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    authority = Authority(tmp_path_factory.mktemp("authority"), "Tests")
    return authority, authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")


@pytest.mark.parametrize("header", [line(), checked(V4)])
@pytest.mark.parametrize("cut", [False, True])
def test_a_header_may_precede_tls(localhost, header, cut):
    authority, pair = localhost
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Proxied(app, "any", **pair.settings()) as serving:
        sock = serving.connect()
        sock.sendall(header[:9] if cut else header)
        if cut:
            sock.sendall(header[9:])
        context = client_context(authority)
        with context.wrap_socket(sock, server_hostname="localhost") as secure:
            secure.sendall(request("/", CLOSE))
            assert read_answer(secure).status == 200
    assert (scopes[0]["client"], scopes[0]["scheme"]) == (CLIENT, "https")
    assert scopes[0]["extensions"]["tls"]["tls_version"] == 0x0304


def test_the_header_and_the_hello_may_be_in_one_segment(localhost):
    authority, pair = localhost
    clients = []

    async def app(scope, receive, send):
        clients.append(scope["client"])
        await answer(send)

    with Proxied(app, "v2", **pair.settings()) as serving, serving.connect() as sock:
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context(authority).wrap_bio(into, out, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock.sendall(block(V4) + out.read())
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                into.write(sock.recv(65536))
        tls.write(request("/", CLOSE))
        sock.sendall(out.read())
        data = b""
        while b"200 OK" not in data:
            try:
                data += tls.read(65536)
            except ssl.SSLWantReadError:
                into.write(sock.recv(65536))
    assert clients == [CLIENT]


def test_tls_without_a_header_ends_the_connection(localhost):
    authority, pair = localhost

    async def app(scope, receive, send):
        pytest.fail("the application must not be called")

    with Proxied(app, "any", **pair.settings()) as serving:
        sock = serving.connect()
        with pytest.raises((ssl.SSLError, OSError)):
            client_context(authority).wrap_socket(sock, server_hostname="localhost")
        sock.close()
        lines = [text for _, text in serving.log.lines]
    assert any("a malformed PROXY header" in text for text in lines)


# The command


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]])
def test_one_bind_expects_a_header_and_another_does_not(workers):
    words = ["--bind", "127.0.0.1:0,proxy-protocol=v1", "--bind", "127.0.0.1:0"]
    with Command("apps:hello", *words, *workers) as command:
        proxied, plain = (
            int(x.rpartition(":")[2]) for x in command.where().split(", ")
        )
        sent = request("/", CLOSE)
        assert talk(proxied, line() + sent).startswith(b"HTTP/1.1 200 ")
        assert talk(proxied, sent).startswith(b"HTTP/1.1 400 ")
        assert talk(plain, sent).startswith(b"HTTP/1.1 200 ")
        assert talk(plain, line() + sent).startswith(b"HTTP/1.1 400 ")
        with connect(proxied) as sock:
            sock.settimeout(DEADLINE_S)
            sock.sendall(line() + sent)
            command.out.line_with("203.0.113.7")
        assert command.stop() == 0
