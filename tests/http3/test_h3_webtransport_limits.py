"""Clients of WebTransport that send garbage or too much (docs/WEBTRANSPORT.md)."""

import asyncio
import threading

import pytest
from serving import settled
from talking_wt import (
    DATAGRAM_ERROR,
    FRAME_ERROR,
    GONE,
    ID_ERROR,
    MESSAGE_ERROR,
    REJECTED,
    REQUEST_CANCELLED,
    Echo,
    Scripted,
    Waiting,
    WtQuic,
    WtServed,
    capsule,
    drain,
    encode_uint_var,
)

from bolide import ClientDisconnected


@pytest.mark.parametrize(
    "garbage",
    [
        capsule(0x2843, b"\0"),
        capsule(0x2843, b"\0" * 1029),
        capsule(0x78AE, b"x"),
        capsule(0x2843, b"\0\0\0\0") + b"more",
    ],
)
def test_garbage_instead_of_capsules(localhost, garbage):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        session.capsules(garbage)
        session.closed()
        assert session.request.reset == MESSAGE_ERROR
        quic.until(lambda: app.got, "the disconnect")
        assert app.got[0]["type"] == "webtransport.disconnect"
        assert quic.end is None
        assert quic.connect().request.status == 200


def test_a_capsule_that_is_cut_off(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        session.capsules(capsule(0x17, b"12345")[:-1], True)
        session.closed()
        assert session.request.reset == MESSAGE_ERROR


def test_a_stream_before_its_session(localhost):
    """It is kept, up to a number of streams."""
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        quic.until(lambda: quic.h3.received_settings is not None)
        number = quic.quic.get_next_available_stream_id()
        whole = encode_uint_var(0x41) + encode_uint_var(number + 4)
        quic.quic.send_stream_data(number, whole + b"early", True)
        quic.flush()
        quic.until(lambda: quic.quic._streams[number].sender._buffer_start == 8)
        quic.h3.own[number] = number + 4
        assert quic.connect().number == number + 4
        assert quic.finish(number).body == b"early"


def test_too_many_streams_without_a_session(localhost):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        quic.until(lambda: quic.h3.received_settings is not None)
        numbers = []
        for i in range(33):
            number = 4 * (i + 1)
            numbers.append(number)
            head = encode_uint_var(0x41) + encode_uint_var(4000)
            quic.quic.send_stream_data(number, head)
        quic.until(lambda: any(quic.stream(n).reset for n in numbers))
        assert [n for n in numbers if quic.stream(n).reset] == numbers[-1:]
        assert quic.stream(numbers[-1]).reset == REJECTED
        assert quic.end is None


def test_a_stream_of_an_ended_session(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        session.close()
        session.closed()
        number = session.open(b"late")
        quic.until(lambda: quic.stream(number).reset is not None)
        assert quic.stream(number).reset == GONE


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (encode_uint_var(0x41) + encode_uint_var(1), ID_ERROR),
        (encode_uint_var(0x41) + encode_uint_var(3), ID_ERROR),
    ],
)
def test_a_session_id_that_cannot_be(localhost, head, code):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        session.send(quic.quic.get_next_available_stream_id(), head)
        assert quic.code() == code


def test_a_stream_that_ends_before_its_session_id(localhost):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = quic.quic.get_next_available_stream_id()
        session.send(number, encode_uint_var(0x41), True)
        assert quic.code() == FRAME_ERROR


@pytest.mark.parametrize("garbage", [b"", b"\x40", b"\xff" * 8])
def test_garbage_instead_of_datagrams(localhost, garbage):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        quic.connect()
        quic.quic.send_datagram_frame(garbage)
        assert quic.code() == DATAGRAM_ERROR


def test_a_datagram_without_a_session_is_dropped(localhost):
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        quic.quic.send_datagram_frame(encode_uint_var(1000) + b"x")
        session.datagram(b"y")
        quic.until(lambda: session.datagrams() == [b"y"])


def test_datagrams_that_nobody_receives_are_bounded(localhost):
    """The oldest ones are dropped."""
    app = Waiting()
    with (
        WtServed(app, localhost, wt_max_datagrams=4) as served,
        WtQuic(served.place) as quic,
    ):
        session = quic.connect()
        for i in range(20):
            session.datagram(b"%d" % i)
        number = session.open(b"after", ends=True)
        quic.until(lambda: quic.quic._streams[number].sender._buffer_start == 8)
        app.go.set()
        session.close()
        app.wait(quic)
        got = [m["data"] for m in app.got if m["type"].endswith("datagram.receive")]
        assert got == [b"16", b"17", b"18", b"19"]


def test_sessions_of_a_connection_are_bounded(localhost):
    with (
        WtServed(Echo(), localhost, wt_max_sessions=2) as served,
        WtQuic(served.place) as quic,
    ):
        sessions = [quic.connect() for _ in range(3)]
        assert [x.request.status for x in sessions] == [200, 200, 429]
        sessions[0].close()
        sessions[0].closed()
        quic.until(lambda: quic.connect().request.status == 200)


def test_unidirectional_streams_are_bounded_until_they_are_received(localhost):
    """The client may open others only when the application has received these."""
    app = Waiting()
    with (
        WtServed(app, localhost, wt_max_streams=4) as served,
        WtQuic(served.place) as quic,
    ):
        session = quic.connect()
        most = quic.quic._remote_max_streams_uni
        for _ in range(4):
            session.open(b"x", ends=True, is_uni=True)
        quic.until(lambda: quic.quic._streams == {} or quic.step() is None)
        quic.step(0.1)
        assert quic.quic._remote_max_streams_uni == most
        app.go.set()
        quic.until(lambda: quic.quic._remote_max_streams_uni == most + 4)


def test_a_stream_that_is_not_received_stops_its_client(localhost):
    """The window of a stream is a limit on what waits; a paused one keeps it, and
    others continue."""
    go = threading.Event()

    async def act(receive, send):
        first = (await receive())["stream"]
        await send({"type": "webtransport.stream.pause", "stream": first})
        while not go.is_set():
            message = await receive()
            if message["type"] == "webtransport.stream.receive":
                assert message["stream"] != first
                go.set()
        await send({"type": "webtransport.stream.resume", "stream": first})
        n = 0
        while n < 300000:
            message = await receive()
            n += len(message.get("data", b""))
        await send({"type": "webtransport.close"})

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open()
        quic.until(lambda: app.got)
        session.send(number, b"x" * 300000, True)
        sender = quic.quic._streams[number].sender
        quic.until(lambda: sender._buffer_start >= 131072)
        assert sender._buffer_start <= 131072 + 100
        session.open(b"other")
        assert session.closed() == (0, b"")
        app.wait(quic)
        assert app.raised is None


def test_a_client_that_does_not_read_makes_send_wait(localhost):
    sent = []

    async def act(receive, send):
        stream = (await receive())["stream"]
        for _ in range(100):
            message = {"type": "webtransport.stream.send", "stream": stream}
            await send({**message, "data": b"x" * 16384})
            sent.append(stream)
        await send({**message, "end_stream": True})
        await drain(receive)

    app = Scripted(act)
    with (
        WtServed(app, localhost) as served,
        WtQuic(served.place, max_stream_data=20000) as quic,
    ):
        quic.h3_reads = False
        session = quic.begin()
        session.wait()
        number = session.open(b"go")
        quic.until(lambda: len(quic.stream(number).body) >= 16384)
        assert len(sent) < 50
        x = quic.finish(number)
        assert len(x.body) == 100 * 16384
        session.close()
        app.wait(quic)


class Flooding(Scripted):
    """Sends on the client's first stream, and waits until ``send()`` raises."""

    def __init__(self):
        super().__init__(self.flood)
        self.got_disconnect = False

    async def flood(self, receive, send):
        """Send until the session ends; receive its end."""
        stream = (await receive())["stream"]
        message = {"type": "webtransport.stream.send", "stream": stream}
        try:
            while True:
                await send({**message, "data": b"x" * 16384})
        finally:
            while (end := await receive())["type"] != "webtransport.disconnect":
                pass
            self.got_disconnect = (end["code"], end["reason"]) == (0, "")


def test_a_session_whose_client_takes_nothing_ends(localhost):
    """The client acknowledges packets, and opens no window."""
    app = Flooding()
    with (
        WtServed(app, localhost, timeout_send=0.5) as served,
        WtQuic(served.place, max_stream_data=20000) as quic,
    ):
        quic.quic._write_stream_limits = lambda **_: None
        session = quic.begin()
        session.wait()
        number = session.open(b"go")
        assert session.closed() is None
        assert session.request.reset == REQUEST_CANCELLED
        quic.until(lambda: quic.stream(number).reset is not None)
        assert quic.stream(number).reset == GONE
        app.wait(quic)
        assert isinstance(app.raised, ClientDisconnected)
        assert app.got_disconnect
        settled(served, wt_sessions=0, refused_timeout=1)
        assert any("--timeout-send 0.5" in line for _, line in served.log.lines)
        assert quic.end is None


def test_a_client_that_takes_another_stream_keeps_its_session(localhost):
    """For several times the limit; the window of the first stream stays closed."""

    async def act(receive, send):
        first, tasks = None, []
        while (message := await receive())["type"] != "webtransport.disconnect":
            if message["type"] != "webtransport.stream.receive":
                continue
            first = first if first is not None else message["stream"]
            size = 100_000 if message["stream"] == first else 1
            answer = {"type": "webtransport.stream.send", "stream": message["stream"]}
            sending = send({**answer, "data": b"x" * size})
            tasks.append(asyncio.ensure_future(sending))
        await asyncio.gather(*tasks, return_exceptions=True)

    app = Scripted(act)
    with (
        WtServed(app, localhost, timeout_send=0.4) as served,
        WtQuic(served.place, max_stream_data=20000) as quic,
    ):
        quic.quic._write_stream_limits = lambda **_: None
        session = quic.begin()
        session.wait()
        stalled = session.open(b"go")
        quic.until(lambda: len(quic.stream(stalled).body) == 20000)
        other = session.open(b"go")
        for i in range(1, 20):
            quic.until(lambda i=i: len(quic.stream(other).body) == i)
            quic.step(0.1)
            session.send(other, b"!")
        assert session.request.reset is None
        assert len(quic.stream(stalled).body) == 20000
        assert not app.ended.is_set()
        assert served.server.tallies.read(0)["refused_timeout"] == 0
        session.close()
        app.wait(quic)


@pytest.mark.parametrize("window", [0, 10])
def test_a_client_with_a_window_shorter_than_the_settings_delays_nobody(
    localhost, window
):
    app = Echo()
    with (
        WtServed(app, localhost) as served,
        WtQuic(served.place, max_stream_data=window) as small,
        WtQuic(served.place) as quic,
    ):
        small.until(lambda: small.handshake or small.end)
        session = quic.connect()
        number = session.open(b"another", ends=True)
        assert quic.finish(number).body == b"another"
        if window > 0:  # which the client enlarges
            session = small.connect()
            number = session.open(b"a stream", ends=True)
            assert small.finish(number).body == b"a stream"


def test_a_stream_for_a_session_that_was_ended_by_a_capsule_alone_is_rejected(
    localhost,
):
    """The client does not end the stream of the session, and ends many others."""
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        first = quic.connect()
        first.capsules(capsule(0x2843, b"\0\0\0\0"))
        first.closed()
        for _ in range(20):
            other = quic.connect()
            other.close()
            other.closed()
        number = first.open(b"late")
        quic.until(lambda: quic.stream(number).reset is not None)
        assert quic.stream(number).reset == GONE


def test_a_refusal_reaches_a_client_that_has_ended_its_request(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        pseudo = {b":protocol": b"webtransport"}
        x = quic.finish(quic.ask("/", "CONNECT", ends=True, pseudo=pseudo))
        assert x.status == 400
        assert app.scopes == []


def test_streams_for_a_request_that_becomes_no_session_are_rejected(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        head = encode_uint_var(0x41) + encode_uint_var(8)
        quic.quic.send_stream_data(4, head + b"early")
        quic.flush()
        pseudo = {b":protocol": b"webtransport"}
        number = quic.ask("/", "CONNECT", ends=True, pseudo=pseudo)
        assert number == 8
        assert quic.finish(number).status == 400
        quic.until(lambda: quic.stream(4).reset is not None)
        assert quic.stream(4).reset == REJECTED
