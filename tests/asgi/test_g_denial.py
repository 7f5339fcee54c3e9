"""Group G, first part: an application denies a WebSocket with a response."""

import threading

import pytest
from serving import DEADLINE_S, Serving, read_answer
from socketing import handshake, talking

START = {"type": "websocket.http.response.start", "status": 401}
BODY = {"type": "websocket.http.response.body"}


def denied(*messages):
    """Return the response to these messages, and what the last of them raised."""
    failures, heard, ended = [], [], threading.Event()

    async def app(scope, receive, send):
        assert "websocket.http.response" in scope["extensions"]
        assert await receive() == {"type": "websocket.connect"}
        try:
            for message in messages:
                await send(message)
            heard.append(await receive())
        except Exception as failure:
            failures.append(failure)
        finally:
            ended.set()

    with talking(app) as (peer, _):
        peer.sock.settimeout(DEADLINE_S)
        length = int(peer.field("content-length") or 0)
        if peer.field("transfer-encoding"):
            while not peer.rest.endswith(b"0\r\n\r\n"):
                peer.rest += peer.sock.recv(65536)
            body = peer.rest
        else:
            body = peer.take(length)
        assert ended.wait(DEADLINE_S)
    return peer, body, heard, failures


def test_G1_a_response_denies_a_websocket():
    headers = [(b"www-authenticate", b"Basic"), (b"content-length", b"2")]
    start = {**START, "headers": headers}
    peer, body, _, failures = denied(start, {**BODY, "body": b"no"})
    assert (peer.status, body, failures) == (401, b"no", [])
    assert peer.field("www-authenticate") == "Basic"
    assert peer.field("sec-websocket-accept") is None


def test_G2_G3_a_body_of_several_parts_is_sent():
    parts = [
        {**BODY, "body": b"\xff" * 20000, "more_body": True},
        {**BODY, "body": b"\x00" * 20000},
    ]
    _, body, _, failures = denied(START, *parts)
    assert failures == []
    assert body.count(b"\xff") == body.count(b"\x00") == 20000


def test_G4_receive_returns_disconnect_after_a_denial():
    _, _, heard, _ = denied(START, BODY)
    assert heard == [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]


@pytest.mark.parametrize("before", [[START], [START, BODY]], ids=["start", "body"])
def test_G5_an_accept_after_the_denial_raises(before):
    last = {"type": "websocket.accept"}
    *_, failures = denied(*before, last)
    assert [type(x) for x in failures] == [RuntimeError]


def test_a_connection_is_kept_after_a_denial():
    async def app(scope, receive, send):
        await receive()
        await send({**START, "headers": [(b"content-length", b"0")]})
        await send(BODY)

    with Serving(app) as serving, serving.connect() as sock:
        for _ in range(2):
            sock.sendall(handshake())
            assert read_answer(sock).status == 401
