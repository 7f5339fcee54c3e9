"""X-Request-ID: created or kept, passed to the application, and sent back."""

import re

import pytest
from serving import Serving, answer, request
from socketing import Peer, handshake

MADE = re.compile(r"[0-9a-f]{32}")


def ask(fields="", respond=answer, **settings):
    """Return the response to a request, and the IDs that the application received."""
    seen = []

    async def app(scope, receive, send):
        seen.extend(v.decode() for n, v in scope["headers"] if n == b"x-request-id")
        await respond(send)

    with Serving(app, request_id=True, **settings) as serving:
        got = serving.ask(fields=fields + "Connection: close\r\n")
    return got, seen


def test_a_request_gets_an_id_which_the_response_has():
    got, seen = ask()
    assert MADE.fullmatch(got.field("x-request-id"))
    assert seen == [got.field("x-request-id")]


def test_an_id_is_kept_only_from_a_trusted_proxy():
    got, seen = ask("X-Request-ID: abc-1\r\n")
    assert (got.field("x-request-id"), seen) == ("abc-1", ["abc-1"])
    got, seen = ask("X-Request-ID: abc-1\r\n", forwarded_allow_ips="10.0.0.1")
    assert MADE.fullmatch(got.field("x-request-id"))
    assert seen == [got.field("x-request-id")]


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "\xe9", "a" * 129])
def test_an_invalid_id_is_replaced(name):
    got, seen = ask(f"X-Request-ID: {name}\r\n")
    assert MADE.fullmatch(got.field("x-request-id"))
    assert seen == [got.field("x-request-id")]


def test_ids_are_unique():
    async def app(scope, receive, send):
        await answer(send)

    with Serving(app, request_id=True) as serving, serving.connect() as sock:
        sock.sendall(request() * 2 + request(fields="Connection: close\r\n"))
        names = re.findall(rb"x-request-id: (\w+)", read_all(sock))
    assert len(set(names)) == 3


def read_all(sock):
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def test_a_field_set_by_the_application_is_sent_instead():
    async def respond(send):
        await answer(send, headers=[(b"X-Request-Id", b"mine")])

    assert ask(respond=respond)[0].field("x-request-id") == "mine"


def test_an_error_response_of_the_server_has_the_id():
    async def respond(send):
        raise RuntimeError("asked for")

    got, seen = ask(respond=respond)
    assert got.status == 500
    assert seen == [got.field("x-request-id")]


def test_a_large_head_has_the_id():
    async def respond(send):
        await answer(send, headers=[(b"x-a", b"a" * 9000)] * 9)

    got, seen = ask(respond=respond)
    assert seen == [got.field("x-request-id")]


def test_without_the_option_the_field_is_unchanged():
    async def app(scope, receive, send):
        assert (b"x-request-id", b"a b") in scope["headers"]
        await answer(send)

    with Serving(app) as serving:
        got = serving.ask(fields="X-Request-ID: a b\r\nConnection: close\r\n")
    assert (got.status, got.field("x-request-id")) == (200, None)


def test_a_websocket_has_an_id():
    seen = []

    async def app(scope, receive, send):
        seen.extend(v.decode() for n, v in scope["headers"] if n == b"x-request-id")
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    with Serving(app, request_id=True) as serving, serving.connect() as sock:
        peer = Peer(sock, handshake())
        assert (peer.status, seen) == (101, [peer.field("x-request-id")])
