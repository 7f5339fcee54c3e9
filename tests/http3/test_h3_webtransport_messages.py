"""Messages of WebTransport that do odd things, and sessions that a stop of the server
finds (docs/WEBTRANSPORT.md, src/asgi/webtransport/webtransport.c,
src/asgi/webtransport/webtransport_send.c)."""

import asyncio
import threading

import pytest
from talking_wt import DRAIN, Scripted, WtQuic, WtServed, capsule, drain

from bolide import ClientDisconnected

CLOSE = {"type": "webtransport.close", "code": 3}


class Number:
    """An int whose value is read by code that runs ``act()``."""

    def __init__(self, act):
        self.act = act

    def __index__(self):
        self.act()
        return 0


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("stream.send", "stream"),
        ("stream.reset", "code"),
        ("stream.pause", "stream"),
        ("close", "code"),
    ],
)
def test_a_message_may_end_its_session_while_it_is_read(localhost, kind, key):
    """It is then a message after the end."""
    raised = []

    async def act(receive, send):
        number = Number(lambda: send(CLOSE))
        message = {"type": f"webtransport.{kind}", "stream": 0, "data": b"x"}
        try:
            await send({**message, key: number})
        except BaseException as exc:
            raised.append(type(exc))

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        assert quic.connect().closed() == (3, b"")
        app.wait(quic)
    assert raised == [ClientDisconnected]


def test_headers_may_reject_the_session_while_they_are_read(localhost):
    raised = []

    async def act(receive, send):
        def headers():
            send({**CLOSE, "code": 404})
            yield b"x-a", b"b"

        try:
            await send({"type": "webtransport.accept", "headers": headers()})
        except BaseException as exc:
            raised.append(type(exc))

    app = Scripted(act, accepts=False)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        assert quic.connect().request.status == 404
        app.wait(quic)
    assert raised == [ClientDisconnected]


def test_a_code_and_a_reason_may_be_none(localhost):
    async def act(receive, send):
        await send({"type": "webtransport.close", "code": None, "reason": None})

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        assert quic.connect().closed() == (0, b"")
        app.wait(quic)
    assert app.raised is None


def test_so_many_streams_may_wait_for_the_client(localhost):
    """The client allows 128 unidirectional streams."""
    opened = 0

    async def act(receive, send):
        nonlocal opened
        while opened < 70000:
            await send({"type": "webtransport.stream.open"})
            opened += 1

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        quic.begin()
        app.wait(quic)
    assert isinstance(app.raised, RuntimeError)
    assert "65536 streams wait" in str(app.raised)
    assert 65536 <= opened <= 65536 + 128


def test_a_session_may_be_accepted_while_the_server_stops(localhost):
    """Its client is asked to end it, as others are."""
    connecting = threading.Event()

    async def act(receive, send):
        connecting.set()
        while not served.server.should_exit:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        await send({"type": "webtransport.accept"})
        await drain(receive)

    app = Scripted(act, accepts=False)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.begin()
        quic.until(connecting.is_set)
        served.server.should_exit = True
        assert session.wait() == 200
        assert session.closed() == (0, b"")
        assert bytes(session.request.body).startswith(capsule(DRAIN, b""))
        app.wait(quic)
    assert app.types() == ["disconnect"]


def test_a_stop_of_the_server_finds_a_session_that_is_over(localhost):
    """The application has closed it, and the client has not answered."""

    async def act(receive, send):
        await send(CLOSE)
        while not served.server.should_exit:
            await asyncio.sleep(0.005)

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        assert session.closed() == (3, b"")
        served.server.should_exit = True
        app.wait(quic)
        quic.until(lambda: quic.end is not None, "the end")
    assert app.raised is None
