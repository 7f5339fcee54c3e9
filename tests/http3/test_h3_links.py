"""What ends a connection of HTTP/3, or keeps it, other than its requests
(src/server/quic_link.c, src/quic/carrier.c, src/server/disown.c).
"""

import time

import pytest
from serving import answer
from socketing import CLOSE, TEXT, close_payload, frame
from talking import client_context
from talking_h3 import Quic, Served
from talking_wt import WtQuic, WtServed

NO_ERROR = 0x100


async def ok(scope, receive, send):
    """Respond with a short body."""
    await answer(send, b"ok")


async def echo_messages(scope, receive, send):
    """Accept a WebSocket and send each message back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def test_a_websocket_that_spends_its_budget_continues(localhost):
    """Far more messages than one budget in each packet."""
    with Served(echo_messages, localhost) as served, Quic(served.place) as quic:
        number = quic.ask_websocket()
        x = quic.stream(number)
        quic.until(lambda: x.fields is not None)
        sent = frame(TEXT, b"a") * 3000 + frame(CLOSE, close_payload(1000))
        quic.h3.send_data(number, sent, True)
        quic.until(lambda: x.ended, "the end")
        assert x.body.count(b"\x81\x01a") == 3000


@pytest.mark.parametrize("version", [b"8", b"13"])
def test_a_tunnel_that_is_rejected_ends_no_other_request(localhost, version):
    """A handshake of another version, and a WebSocket that nobody wants."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await answer(send, b"ok")
        else:
            await send({"type": "websocket.close"})

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask_websocket(version)
        x = quic.stream(number)
        quic.until(lambda: x.fields is not None)
        assert x.status == (426 if version == b"8" else 403)
        assert quic.get().body == b"ok"


def test_a_client_that_says_nothing_makes_room_for_another(authority, localhost):
    with (
        Served(ok, localhost, limit_concurrency=1) as served,
        Quic(served.place) as silent,
    ):
        silent.until(lambda: silent.handshake is not None)
        time.sleep(0.6)  # it is given half a second to send a request
        assert served.get(client_context(authority)).status == 200
        assert silent.code() == NO_ERROR


async def accepts_session(scope, receive, send):
    """Accept a session of WebTransport and wait for its end."""
    assert (await receive())["type"] == "webtransport.connect"
    await send({"type": "webtransport.accept"})
    while (await receive())["type"] != "webtransport.disconnect":
        pass


def test_a_session_outlives_the_idle_timeout_of_the_client(localhost):
    """The server sends something in half of the time that the client allows."""
    with (
        WtServed(accepts_session, localhost) as served,
        WtQuic(served.place, idle_timeout=1.0) as quic,
    ):
        quic.connect()
        due = time.monotonic() + 3
        while time.monotonic() < due:
            quic.step()
        assert quic.end is None
