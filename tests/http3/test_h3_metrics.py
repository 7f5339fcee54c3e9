"""What a server counts of WebTransport (src/http3/wt_datagram.c, src/http3/wt_end.c);
test_h3_early_data.py has the counters of early data.
"""

import asyncio

import pytest
from serving import settled
from talking_wt import Echo, Scripted, Waiting, WtQuic, WtServed, drain

DATAGRAM = {"type": "webtransport.datagram.send"}


def test_open_sessions_are_counted(localhost):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        sessions = [quic.connect() for _ in range(3)]
        settled(served, wt_sessions=3, wt_accepted=3, websockets=3, running=0)
        sessions[0].close()
        sessions[0].closed()
        quic.until(lambda: served.server.tallies.read(0)["websockets"] == 2)
        settled(served, wt_sessions=2, wt_accepted=3, websockets=2)
    settled(served, wt_sessions=0, wt_accepted=3, websockets=0)


def test_a_session_that_is_not_accepted_is_none(localhost):
    async def refuse(receive, send):
        await send({"type": "webtransport.close", "code": 404})

    app = Scripted(refuse, accepts=False)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        assert quic.connect().request.status == 404
        settled(served, wt_sessions=0, wt_accepted=0, done_4xx=1)


@pytest.mark.parametrize("ends", ["application", "client", "connection", "failure"])
def test_the_end_of_a_session_is_counted_once(localhost, ends):
    async def act(receive, send):
        if ends == "application":
            await send({"type": "webtransport.close"})
        elif ends == "failure":
            assert (await receive())["type"] == "webtransport.stream.opened"
            raise ValueError("on purpose")
        await drain(receive)

    app = Scripted(act)
    with WtServed(app, localhost) as served:
        with WtQuic(served.place) as quic:
            session = quic.connect()
            if ends == "client":
                session.close()
            elif ends == "failure":
                session.open(b"go")
            if ends != "connection":
                session.closed()
        settled(served, wt_sessions=0, wt_accepted=1, websockets=0)


def test_datagrams_are_counted(localhost):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        for i in range(5):
            session.datagram(b"%d" % i)
        quic.until(lambda: len(session.datagrams()) == 5)
        settled(served, wt_received=5, wt_sent=5, wt_unread=0, wt_unsent=0)
        quic.h3.send_datagram(4000, b"of no session")
        quic.flush()
        settled(served, wt_received=6, wt_orphaned=1, wt_sent=5)


def test_datagrams_that_the_application_does_not_receive_are_counted(localhost):
    app = Waiting()
    with (
        WtServed(app, localhost, wt_max_datagrams=4) as served,
        WtQuic(served.place) as quic,
    ):
        session = quic.connect()
        for i in range(20):
            session.datagram(b"%d" % i)
        settled(served, wt_received=20, wt_unread=16)
        app.go.set()
        session.close()
        app.wait(quic)
        settled(served, wt_received=20, wt_unread=16, wt_orphaned=0)


def test_datagrams_that_wait_when_the_application_ends_the_session_are_counted(
    localhost,
):
    async def act(receive, send):
        while served.server.tallies.read(0)["wt_received"] < 3:
            await asyncio.sleep(0.005)

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        for i in range(3):
            session.datagram(b"%d" % i)
        session.closed()
        settled(served, wt_received=3, wt_orphaned=3)


def test_datagrams_that_are_not_sent_are_counted(localhost):
    """Those of one turn of the loop, and one that is longer than a packet."""

    async def act(receive, send):
        await asyncio.gather(*(send({**DATAGRAM, "data": b"x"}) for _ in range(10)))
        await send({**DATAGRAM, "data": bytes(2000)})
        await drain(receive)

    app = Scripted(act)
    with (
        WtServed(app, localhost, wt_max_datagrams=4) as served,
        WtQuic(served.place) as quic,
    ):
        session = quic.connect()
        quic.until(lambda: len(session.datagrams()) == 4)
        settled(served, wt_unsent=6, wt_sent=4, wt_long=1)
        session.close()
        app.wait(quic)
