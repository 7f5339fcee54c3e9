"""Sessions of WebTransport over HTTP/3 (docs/WEBTRANSPORT.md, src/http3/wt_session.c,
src/http3/wt_ops.c, src/http3/wt_end.c, src/http3/wt_open.c, src/http3/wt_stream.c,
src/http3/wt_output.c, src/http3/wt_datagram.c, src/quic/carrier.c,
src/asgi/webtransport/webtransport.c, src/asgi/webtransport/webtransport_receive.c,
src/asgi/webtransport/webtransport_send.c)."""

import asyncio

import pytest
from serving import DEADLINE_S
from talking_h3 import Quic, Served
from talking_wt import (
    GONE,
    REJECTED,
    Echo,
    Scripted,
    Waiting,
    WtQuic,
    WtServed,
    capsule,
    code_of,
    drain,
    encode_uint_var,
)

import bolide


def test_a_bidirectional_stream_is_echoed(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect("/room?a=b")
        assert session.request.status == 200
        number = session.open(b"hello", ends=True)
        assert quic.finish(number).body == b"hello"


def test_a_unidirectional_stream_is_echoed_on_another(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        session.open(b"one way", ends=True, is_uni=True)
        quic.until(lambda: any(n % 4 == 3 and n > 11 for n in quic.streams))
        (number,) = (n for n in quic.streams if n % 4 == 3 and n > 11)
        assert quic.finish(number).body == b"one way"
        assert quic.streams[number].session == session.number


def test_datagrams_are_echoed(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        for text in (b"one", b"", b"x" * 1000):
            session.datagram(text)
            quic.until(lambda text=text: text in session.datagrams(), "an echo")
        assert app.got[0] == {"type": "webtransport.datagram.receive", "data": b"one"}


def test_the_client_closes_with_code_and_reason(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        session.close(4711, "au revoir à tous".encode())
        assert session.closed() is None
        quic.until(lambda: app.got, "the disconnect")
        assert app.got == [
            {
                "type": "webtransport.disconnect",
                "code": 4711,
                "reason": "au revoir à tous",
            }
        ]
        assert quic.end is None


def test_the_scope(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        quic.connect("/room?a=b", fields=[(b"origin", b"https://localhost")])
    (scope,) = app.scopes
    assert scope["type"] == "webtransport"
    assert scope["http_version"] == "3"
    assert scope["scheme"] == "https"
    assert scope["path"] == "/room"
    assert scope["query_string"] == b"a=b"
    assert (b"origin", b"https://localhost") in scope["headers"]
    assert scope["extensions"]["webtransport"] == {"reset": True, "stop": True}
    assert "method" not in scope
    assert "subprotocols" not in scope


def test_requests_learn_that_there_are_sessions(localhost):
    extensions = []

    async def app(scope, receive, send):
        extensions.append(scope["extensions"])
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    for kind in (WtServed, Served):
        with kind(app, localhost) as served, Quic(served.place) as quic:
            quic.get()
    assert ["webtransport" in one for one in extensions] == [True, False]


def test_without_the_option_there_is_none(localhost):
    app = Echo()
    with Served(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        assert session.request.status == 501
        settings = quic.settings()
        assert 0x2B603742 not in settings
        assert 0x33 not in settings
        assert quic.quic._remote_max_datagram_frame_size is None
    assert app.scopes == []


def test_settings_of_several_drafts(localhost):
    with (
        WtServed(Echo(), localhost, wt_max_sessions=5) as served,
        WtQuic(served.place) as quic,
    ):
        settings = quic.settings()
    assert settings[0x2B603742] == 1
    assert settings[0x33] == 1
    assert settings[0x08] == 1
    assert settings[0xC671706A] == 5


@pytest.mark.parametrize("size", [0, 1, 70000, 300000])
def test_streams_of_any_length_are_echoed(localhost, size):
    body = bytes(i % 251 for i in range(size))
    with WtServed(Echo(), localhost) as served, WtQuic(served.place) as quic:
        number = quic.connect().open(body, ends=True)
        assert bytes(quic.finish(number).body) == body


def test_everything_arrives_one_byte_at_a_time(localhost):
    """Also the beginning of a stream, and capsules."""
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = quic.quic.get_next_available_stream_id()
        quic.h3.own[number] = session.number
        whole = encode_uint_var(0x41) + encode_uint_var(session.number) + b"slow"
        for i in range(len(whole)):
            session.send(number, whole[i : i + 1], i == len(whole) - 1)
            quic.step(0.002)
        assert quic.finish(number).body == b"slow"
        for byte in capsule(0x17, b"unknown") + capsule(0x2843, b"\0\0\0\7bye"):
            session.capsules(bytes([byte]))
        last = "webtransport.disconnect"
        quic.until(lambda: app.got and app.got[-1]["type"] == last)
        assert app.got[-1] == {
            "type": "webtransport.disconnect",
            "code": 7,
            "reason": "bye",
        }


def test_streams_that_are_no_sessions_pass(localhost):
    """A frame of an unknown type with a long number comes before a request; and a
    stream of an unknown type is ignored."""
    app = Echo()

    async def both(scope, receive, send):
        if scope["type"] == "webtransport":
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a page"})

    with WtServed(both, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        uni = quic.quic.get_next_available_stream_id(is_unidirectional=True)
        session.send(uni, encode_uint_var(0x1234) + b"abc", True)
        number = quic.quic.get_next_available_stream_id()
        for byte in encode_uint_var(0x40 + 0x21 * 0x1F) + b"\0":
            session.send(number, bytes([byte]))
            quic.step(0.002)
        head = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/")]
        quic.h3.send_headers(number, [*head, (b":authority", b"localhost")], True)
        assert quic.finish(number).body == b"a page"
        assert quic.end is None


def test_the_application_opens_streams(localhost):
    async def act(receive, send):
        for is_bidi in (True, False):
            await send({"type": "webtransport.stream.open", "bidirectional": is_bidi})
            opened = await receive()
            await send(
                {
                    "type": "webtransport.stream.send",
                    "stream": opened["stream"],
                    "data": b"from the server",
                    "end_stream": True,
                }
            )
        await drain(receive)

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        quic.until(lambda: len(app.got) == 2)
        bidi, uni = (message["stream"] for message in app.got)
        assert (bidi % 4, uni % 4) == (1, 3)
        for number in (bidi, uni):
            x = quic.finish(number)
            assert (x.body, x.session) == (b"from the server", session.number)
        session.send(bidi, b"a response", True)
        quic.until(lambda: len(app.got) == 3)
        assert app.got[2]["data"] == b"a response"
        session.close()
        app.wait(quic)


def test_a_reset_of_the_client(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open(b"half")
        quic.until(lambda: len(app.got) == 2)
        quic.quic.reset_stream(number, code_of(77))
        quic.until(lambda: len(app.got) == 3)
        assert app.got[2] == {
            "type": "webtransport.stream.reset",
            "stream": number,
            "code": 77,
        }
        other = session.open(b"next", ends=True)
        assert quic.finish(other).body == b"next"


def test_a_stop_of_the_client(localhost):
    """It is known when something is to be sent; send() raises from then on."""

    async def act(receive, send):
        stream = (await receive())["stream"]
        try:
            while True:
                await send(
                    {
                        "type": "webtransport.stream.send",
                        "stream": stream,
                        "data": b"x" * 1000,
                    }
                )
                await asyncio.sleep(0)
        except bolide.ClientDisconnected:
            pass
        await drain(receive)

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open(b"go")
        quic.until(lambda: quic.stream(number).body)
        quic.quic.stop_stream(number, code_of(5))
        quic.until(lambda: "stream.stop" in app.types(), "the stop")
        session.close()
        app.wait(quic)
        assert app.raised is None


@pytest.mark.parametrize(
    ("reset", "stop", "code"),
    [
        (None, code_of(5), 5),
        (None, 0x100, None),
        (code_of(7), code_of(5), None),
        (code_of(7), 0x100, None),
    ],
)
def test_a_stop_has_its_own_code_or_none(localhost, reset, stop, code):
    """QUIC reports one code for both directions of a stream, that of the first one."""
    app = Scripted(lambda receive, send: drain(receive))
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open(b"go", ends=reset is None)
        if reset is not None:
            quic.quic.reset_stream(number, reset)
            quic.until(lambda: "stream.reset" in app.types(), "the reset")
        quic.quic.stop_stream(number, stop)
        quic.until(lambda: "stream.stop" in app.types(), "the stop")
        session.close()
        app.wait(quic)
        stopped = app.got[app.types().index("stream.stop")]
        assert (stopped["stream"], stopped["code"]) == (number, code)


def test_the_application_resets_and_stops(localhost):
    async def act(receive, send):
        stream = (await receive())["stream"]
        for kind, code in (("reset", 8), ("stop", 9)):
            message = {"type": f"webtransport.stream.{kind}", "stream": stream}
            await send({**message, "code": code})
        await drain(receive)

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open(b"unwanted")
        x = quic.stream(number)
        quic.until(lambda: x.reset is not None and x.stopped is not None)
        assert (x.reset, x.stopped) == (code_of(8), code_of(9))
        session.close()
        app.wait(quic)
        assert app.types()[0] == "stream.opened"


def test_the_application_closes(localhost):
    """What it has sent before, and ended, arrives."""

    async def act(receive, send):
        stream = (await receive())["stream"]
        message = {"type": "webtransport.stream.send", "stream": stream}
        await send({**message, "data": b"the last words", "end_stream": True})
        message = {"type": "webtransport.close", "code": 2**32 - 1}
        await send({**message, "reason": "genug"})
        with pytest.raises(bolide.ClientDisconnected):
            await send({"type": "webtransport.datagram.send", "data": b"late"})
        await drain(receive)

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open(b"go")
        other = session.open(b"incomplete")
        assert session.closed() == (2**32 - 1, b"genug")
        assert quic.finish(number).body == b"the last words"
        quic.until(lambda: quic.stream(other).reset is not None)
        assert quic.stream(other).reset == GONE
        app.wait(quic)
        assert app.raised is None


@pytest.mark.parametrize(("code", "status"), [(0, 403), (404, 404), (700, 403)])
def test_a_session_is_refused(localhost, code, status):
    async def act(receive, send):
        await send({"type": "webtransport.close", "code": code})

    app = Scripted(act, accepts=False)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.begin()
        number = session.open(b"too early")
        assert session.wait() == status
        quic.until(lambda: quic.stream(number).reset is not None)
        assert quic.stream(number).reset == REJECTED
        app.wait(quic)


def test_an_application_that_returns_closes_the_session(localhost):
    async def act(receive, send):
        await receive()

    with (
        WtServed(Scripted(act), localhost) as served,
        WtQuic(served.place) as quic,
    ):
        session = quic.connect()
        session.open(b"x")
        assert session.closed() == (0, b"")


def test_an_application_that_fails_resets_the_session(localhost):
    async def act(receive, send):
        await receive()
        raise ValueError("a fault")

    with (
        WtServed(Scripted(act), localhost) as served,
        WtQuic(served.place) as quic,
    ):
        session = quic.connect()
        session.open(b"x")
        assert session.closed() is None
        assert session.request.reset == 0x102


def test_an_application_that_fails_before_it_accepts(localhost):
    async def act(receive, send):
        raise ValueError("a fault")

    app = Scripted(act, accepts=False)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        assert quic.begin().wait() == 500


def test_a_client_that_leaves_without_a_word(localhost):
    """What has arrived before can be received, then comes the disconnect."""
    app = Waiting()
    with WtServed(app, localhost) as served:
        with WtQuic(served.place) as quic:
            session = quic.connect()
            number = session.open(b"before", ends=True)
            session.datagram(b"datagram")
            quic.until(lambda: quic.quic._streams[number].sender._buffer_start == 9)
        app.go.set()
        assert app.ended.wait(DEADLINE_S)
    assert app.types()[-1] == "disconnect"
    assert app.got[-1]["code"] == 0
    assert "stream.receive" in app.types()


def test_a_client_that_resets_the_session(localhost):
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        number = session.open(b"half")
        quic.until(lambda: len(app.got) == 2)
        quic.quic.reset_stream(session.number, 0x10C)
        last = "webtransport.disconnect"
        quic.until(lambda: app.got and app.got[-1]["type"] == last)
        quic.until(lambda: quic.stream(number).reset is not None)
        assert quic.stream(number).reset == GONE
        assert quic.end is None


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "webtransport.accept"}, RuntimeError),
        ({"type": "http.response.start", "status": 200}, RuntimeError),
        ({"type": "webtransport.stream.send", "data": b""}, ValueError),
        ({"type": "webtransport.stream.send", "stream": -1}, ValueError),
        ({"type": "webtransport.stream.send", "stream": "4"}, TypeError),
        (
            {"type": "webtransport.stream.send", "stream": 4, "data": "text"},
            TypeError,
        ),
        (
            {"type": "webtransport.stream.send", "stream": 400, "data": b""},
            bolide.ClientDisconnected,
        ),
        ({"type": "webtransport.datagram.send", "data": 5}, TypeError),
        ({"type": "webtransport.close", "code": 2**32}, ValueError),
        ({"type": "webtransport.close", "reason": "x" * 1025}, ValueError),
        ({"type": "webtransport.stream.reset", "stream": 4, "code": -1}, ValueError),
    ],
)
def test_messages_that_cannot_be_sent(localhost, message, error):
    raised = []

    async def act(receive, send):
        try:
            await send(message)
        except BaseException as exc:
            raised.append(type(exc))
        await send({"type": "webtransport.close", "code": 1})

    app = Scripted(act)
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        assert quic.connect().closed() == (1, b"")
        app.wait(quic)
    assert raised == [error]


def test_a_stop_of_the_server_asks_clients_to_end(localhost):
    """A drain comes first; the session is closed if the client does not end it."""
    app = Echo()
    with WtServed(app, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect()
        served.server.should_exit = True
        quic.until(lambda: session.request.body)
        assert bytes(session.request.body) == capsule(0x78AE, b"")
        assert session.closed() == (0, b"")
        last = "webtransport.disconnect"
        quic.until(lambda: app.got and app.got[-1]["type"] == last)
