"""Violations of QUIC, TLS, HTTP/3 and QPACK: each ends the connection, or its stream,
with the code of its specification (src/quic/connection.c, src/quic/handshake.c,
src/http3/session.c, src/http3/frames.c). The cases are those of h3spec, and more.
"""

import pytest
from aioquic.quic.connection import QuicConnection
from aioquic.tls import Epoch
from raw_quic import Raw, frame, stream_frame
from serving import answer, read_body
from talking_h3 import Quic, Served, get

FLOW_CONTROL, STREAM_LIMIT, STREAM_STATE, FINAL_SIZE, ENCODING = 3, 4, 5, 6, 7
PARAMETER, ID_LIMIT, VIOLATION, CRYPTO_BUFFER = 8, 9, 10, 13
TLS = 0x100
UNEXPECTED_MESSAGE, MISSING_EXTENSION, NO_PROTOCOL = TLS + 10, TLS + 109, TLS + 120
STREAM_CREATION, CLOSED_CRITICAL, UNEXPECTED, FRAME = 0x103, 0x104, 0x105, 0x106
ID, SETTINGS, INCOMPLETE, MESSAGE = 0x108, 0x109, 0x10D, 0x10E
DECOMPRESSION, ENCODER, DECODER = 0x200, 0x201, 0x202


async def echo(scope, receive, send):
    await answer(send, await read_body(receive))


TOKEN = bytes(range(16))


def new_id(number, retire=0, cid=None):
    """Return a NEW_CONNECTION_ID frame."""
    cid = bytes([number]) * 8 if cid is None else cid
    return frame(0x18, number, retire, bytes([len(cid)]), cid, bytes([number]) * 16)


QUIC = {
    "an unknown frame": (frame(0x3F21), ENCODING),
    "a frame that is cut": (b"\x04\x00", ENCODING),
    "no frame": (b"", VIOLATION),
    "HANDSHAKE_DONE": (frame(0x1E), VIOLATION),
    "NEW_TOKEN": (frame(0x07, 1, b"a"), VIOLATION),
    "DATAGRAM, which was not offered": (frame(0x31, 1, b"a"), VIOLATION),
    "an offset beyond the window": (stream_frame(0, b"a", 131072), FLOW_CONTROL),
    "an offset beyond all": (stream_frame(0, b"a", (1 << 62) - 1), FLOW_CONTROL),
    "bytes beyond the window of the connection": (
        b"".join(stream_frame(4 * i, b"a", 131071) for i in range(9)),
        FLOW_CONTROL,
    ),
    "a stream beyond the limit": (stream_frame(4 * 128, b"a"), STREAM_LIMIT),
    "a stream without direction beyond it": (stream_frame(2 + 32, b"a"), STREAM_LIMIT),
    "bytes on a stream that only sends": (stream_frame(3, b"a"), STREAM_STATE),
    "bytes on a stream of the server": (stream_frame(1, b"a"), STREAM_STATE),
    "RESET_STREAM of a stream that only sends": (
        frame(0x04, 3, 0, 0),
        (STREAM_STATE, VIOLATION),
    ),
    "RESET_STREAM of a stream of the server": (frame(0x04, 1, 0, 0), STREAM_STATE),
    "STOP_SENDING of a stream that only receives": (frame(0x05, 2, 0), STREAM_STATE),
    "STOP_SENDING of no stream": (frame(0x05, 403, 0), STREAM_STATE),
    "MAX_STREAM_DATA of a stream that only receives": (frame(0x11, 2, 9), STREAM_STATE),
    "MAX_STREAM_DATA of no stream": (frame(0x11, 1, 9), STREAM_STATE),
    "STREAM_DATA_BLOCKED of a stream that only sends": (
        frame(0x15, 3, 9),
        STREAM_STATE,
    ),
    "MAX_STREAMS that is too large": (frame(0x12, (1 << 60) + 1), ENCODING),
    "STREAMS_BLOCKED that is too large": (
        frame(0x16, (1 << 60) + 1),
        (ENCODING, STREAM_LIMIT),
    ),
    "bytes after the end": (
        stream_frame(0, b"b", 1, True) + stream_frame(0, b"abc"),
        FINAL_SIZE,
    ),
    "another end": (
        stream_frame(0, b"b", 1, True) + stream_frame(0, b"", 3, True),
        FINAL_SIZE,
    ),
    "a reset before what was received": (
        stream_frame(0, b"\x21\x05abc") + frame(0x04, 0, 0, 2),
        FINAL_SIZE,
    ),
    "an ID that retires later ones": (new_id(1, 2), ENCODING),
    "an ID without a byte": (new_id(1, cid=b""), ENCODING),
    "an ID that is too long": (new_id(1, cid=bytes(21)), ENCODING),
    "two IDs with one number": (
        new_id(50, 50, b"a" * 8) + new_id(50, 50, b"b" * 8),
        VIOLATION,
    ),
    "IDs beyond the limit": (b"".join(new_id(100 + i) for i in range(9)), ID_LIMIT),
    "an ID retired that was not issued": (frame(0x19, 1000), VIOLATION),
    "an acknowledgement of what was not sent": (
        frame(0x02, 100_000, 0, 0, 0),
        VIOLATION,
    ),
    "a range of negative numbers": (frame(0x02, 1, 0, 0, 5), ENCODING),
    "a key update of TLS": (
        frame(0x06, 0, 5, b"\x18\0\0\1\0"),
        UNEXPECTED_MESSAGE,
    ),
    "EndOfEarlyData": (frame(0x06, 0, 4, b"\x05\0\0\0"), UNEXPECTED_MESSAGE),
    "CRYPTO beyond its buffer": (frame(0x06, 500_000, 1, b"a"), CRYPTO_BUFFER),
}


def is_code(found, expected):
    """Return whether a code is the one that is expected, or one of them."""
    return found in (expected if isinstance(expected, tuple) else (expected,))


@pytest.mark.parametrize("name", QUIC)
def test_a_violation_of_quic_has_its_code(localhost, name):
    payload, code = QUIC[name]
    with Served(echo, localhost) as served:
        with Raw(served.place) as raw:
            raw.send(payload)
            assert is_code(raw.code(), code)
        assert get(served.place).status == 200


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_reserved_bits_are_a_violation(localhost, bits):
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        raw.send(b"\x01", bits=bits)
        assert raw.code() == VIOLATION


class Unfinished(Raw):
    """A connection whose Finished has not been sent."""

    def __init__(self, place):
        super().__init__(place, drop=lambda is_sent, n: is_sent and self.has_keys())

    def __enter__(self):
        self.until(self.has_keys, "the keys")
        return self

    def has_keys(self):
        """Return whether Handshake packets can be sent."""
        return self.quic._cryptos[Epoch.HANDSHAKE].send.is_valid()


HANDSHAKE = {
    "PATH_CHALLENGE": (frame(0x1A, bytes(8)), 0),
    "STREAM": (stream_frame(0, b"a"), 0),
    "MAX_DATA": (frame(0x10, 9), 0),
    "reserved bits": (frame(0x01), 1),
}


@pytest.mark.parametrize("name", HANDSHAKE)
def test_a_violation_within_the_handshake_has_its_code(localhost, name):
    payload, bits = HANDSHAKE[name]
    with Served(echo, localhost) as served:
        with Unfinished(served.place) as raw:
            raw.send(payload, Epoch.HANDSHAKE, bits=bits)
            assert raw.code() == VIOLATION
        assert get(served.place).status == 200


def with_parameters(monkeypatch, change):
    """Let ``change`` alter the transport parameters, a dict of bytes by number."""
    from aioquic.buffer import Buffer

    original = QuicConnection._serialize_transport_parameters

    def serialize(self):
        buf, found = Buffer(data=original(self)), {}
        while not buf.eof():
            number, size = buf.pull_uint_var(), buf.pull_uint_var()
            found[number] = buf.pull_bytes(size)
        change(found)
        return b"".join(frame(x, len(found[x]), found[x]) for x in found)

    monkeypatch.setattr(QuicConnection, "_serialize_transport_parameters", serialize)


PARAMETERS = {
    "no initial_source_connection_id": (0x0F, None),
    "another initial_source_connection_id": (0x0F, b"other"),
    "original_destination_connection_id": (0x00, b"original"),
    "preferred_address": (0x0D, bytes(24) + b"\x08" + b"i" * 8 + TOKEN),
    "retry_source_connection_id": (0x10, b"retry"),
    "stateless_reset_token": (0x02, TOKEN),
    "max_udp_payload_size below 1200": (0x03, b"\x44\xaf"),
    "ack_delay_exponent above 20": (0x0A, b"\x15"),
    "max_ack_delay of 2^14": (0x0B, b"\x80\x00\x40\x00"),
    "active_connection_id_limit of 1": (0x0E, b"\x01"),
    "initial_max_streams_bidi above 2^60": (0x08, b"\xd0\0\0\0\0\0\0\1"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_wrong_transport_parameter_has_its_code(localhost, monkeypatch, name):
    number, value = PARAMETERS[name]

    def change(found):
        if value is None:
            del found[number]
        else:
            found[number] = value

    with Served(echo, localhost) as served:
        with monkeypatch.context() as patch:
            with_parameters(patch, change)
            with Quic(served.place) as quic:
                assert quic.code() == PARAMETER
        assert get(served.place).status == 200


def test_no_transport_parameters_are_an_alert(localhost, monkeypatch):
    original = QuicConnection._initialize

    def initialize(self, *args):
        original(self, *args)
        self.tls.handshake_extensions = []

    with Served(echo, localhost) as served:
        monkeypatch.setattr(QuicConnection, "_initialize", initialize)
        with Quic(served.place) as quic:
            assert quic.code() == MISSING_EXTENSION


def test_a_protocol_that_is_not_spoken_is_an_alert(localhost):
    settings = {"alpn_protocols": ["other"]}
    with Served(echo, localhost) as served, Quic(served.place, **settings) as quic:
        assert quic.code() == NO_PROTOCOL


SETTINGS_FRAME = b"\x04\x00"
CONTROL = {
    "a second control stream": ({2: b"\0" + SETTINGS_FRAME, 6: b"\0"}, STREAM_CREATION),
    "a second encoder stream": ({2: b"\x02", 6: b"\x02"}, STREAM_CREATION),
    "a second decoder stream": ({2: b"\x03", 6: b"\x03"}, STREAM_CREATION),
    "CONNECT that is neither on nor off": ({2: b"\0\x04\x02\x08\x02"}, SETTINGS),
    "a setting that is cut": ({2: b"\0\x04\x01\x06"}, FRAME),
    "GOAWAY with a larger ID": (
        {2: b"\0" + SETTINGS_FRAME + b"\x07\x01\x00\x07\x01\x04"},
        ID,
    ),
    "MAX_PUSH_ID that is smaller": (
        {2: b"\0" + SETTINGS_FRAME + b"\x0d\x01\x05\x0d\x01\x04"},
        (ID, FRAME),
    ),
    "CANCEL_PUSH of no push": (
        {2: b"\0" + SETTINGS_FRAME + b"\x03\x01\x05"},
        (ID, UNEXPECTED),
    ),
    "PRIORITY_UPDATE of a stream that cannot be": (
        {2: b"\0" + SETTINGS_FRAME + frame(0xF0700, 4, 40000)},
        ID,
    ),
    "PRIORITY_UPDATE of a push": (
        {2: b"\0" + SETTINGS_FRAME + frame(0xF0701, 1, 0)},
        (ID, UNEXPECTED),
    ),
    "PUSH_PROMISE on the control stream": (
        {2: b"\0" + SETTINGS_FRAME + b"\x05\x01\x00"},
        UNEXPECTED,
    ),
    "MAX_PUSH_ID on a request": ({0: b"\x0d\x01\x05"}, UNEXPECTED),
    "CANCEL_PUSH on a request": ({0: b"\x03\x01\x05"}, UNEXPECTED),
    "PUSH_PROMISE of a client": ({0: b"\x05\x03\0\0\0"}, UNEXPECTED),
    "PRIORITY_UPDATE on a request": ({0: frame(0xF0700, 1, 0)}, UNEXPECTED),
    "a table larger than allowed": ({2: b"\x02\x3f\xe1\x1f"}, ENCODER),
    "an entry without a table": ({2: b"\x02\x41a\x01b"}, ENCODER),
    "an entry that is duplicated and is not": ({2: b"\x02\x00"}, ENCODER),
    "an increment of 0": ({2: b"\x03\x00"}, DECODER),
    "an increment beyond what was inserted": ({2: b"\x03\x01"}, DECODER),
    "an acknowledged section without a table": ({2: b"\x03\x80"}, DECODER),
    "a field of a table that does not exist": (
        {0: b"\x01\x03\x02\x00\x80"},
        DECOMPRESSION,
    ),
    "a static field that does not exist": (
        {0: b"\x01\x05\0\0\xff\xff\x0f"},
        DECOMPRESSION,
    ),
    "a prefix that is cut": ({0: b"\x01\x01\x00"}, DECOMPRESSION),
    "DATA on an encoder stream that ends": ({2: b"\x02", -2: b""}, CLOSED_CRITICAL),
    "a decoder stream that ends": ({2: b"\x03", -2: b""}, CLOSED_CRITICAL),
}


@pytest.mark.parametrize("name", CONTROL)
def test_a_violation_of_http3_has_its_code(localhost, name):
    """A stream with a negative number ends."""
    streams, code = CONTROL[name]
    with Served(echo, localhost) as served:
        with Raw(served.place) as raw:
            for number, data in streams.items():
                ends = number <= 0
                raw.quic.send_stream_data(abs(number), data, ends)
                raw.step(0.02)
            assert is_code(raw.code(), code)
        assert get(served.place).status == 200


@pytest.mark.parametrize("kind", [0, 2, 3])
def test_a_reset_of_a_critical_stream_has_its_code(localhost, kind):
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        raw.quic.send_stream_data(2, bytes([kind]) + SETTINGS_FRAME * (kind == 0))
        raw.step(0.02)
        raw.quic.reset_stream(2, 0x100)
        assert raw.code() == CLOSED_CRITICAL


@pytest.mark.parametrize("number", [3, 7, 11])
def test_a_stop_of_a_critical_stream_has_its_code(localhost, number):
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        raw.send(frame(0x05, number, 0x100))
        assert raw.code() == CLOSED_CRITICAL


def line(name, value):
    """Return a literal field line with a literal name (RFC 9204 4.5.6)."""
    n = len(name)
    head = bytes([0x20 | n]) if n < 7 else bytes([0x27, n - 7])
    return head + name + bytes([len(value)]) + value


GET = {b":method": b"GET", b":scheme": b"https", b":authority": b"a", b":path": b"/"}
PSEUDO = b"".join(line(*x) for x in GET.items())


def without(name):
    """Return the lines of a request without one of them."""
    return b"".join(line(*x) for x in GET.items() if x[0] != name)


def headers(lines):
    """Return a HEADERS frame."""
    return frame(1, 2 + len(lines), b"\0\0", lines)


MESSAGES = {
    "a pseudo field twice": headers(PSEUDO + line(b":method", b"GET")),
    "no :method": headers(without(b":method")),
    "no :scheme": headers(without(b":scheme")),
    "no :path": headers(without(b":path")),
    "an empty :path": headers(without(b":path") + line(b":path", b"")),
    ":status": headers(PSEUDO + line(b":status", b"200")),
    "an unknown pseudo field": headers(PSEUDO + line(b":other", b"a")),
    "a pseudo field after others": headers(
        without(b":path") + line(b"x", b"1") + line(b":path", b"/")
    ),
    "a name in capitals": headers(PSEUDO + line(b"X-One", b"1")),
    "connection": headers(PSEUDO + line(b"connection", b"close")),
    "transfer-encoding": headers(PSEUDO + line(b"transfer-encoding", b"chunked")),
    "te that is not trailers": headers(PSEUDO + line(b"te", b"gzip")),
    "two lengths": headers(
        PSEUDO + line(b"content-length", b"1") + line(b"content-length", b"2")
    )
    + b"\0\x01a",
    "a length that is not a number": headers(PSEUDO + line(b"content-length", b"x")),
    "less than the length": headers(PSEUDO + line(b"content-length", b"5"))
    + b"\0\x01a",
    "more than the length": headers(PSEUDO + line(b"content-length", b"1"))
    + b"\0\x02ab",
    "a pseudo field in the trailers": headers(PSEUDO) + headers(line(b":path", b"/")),
    ":protocol without CONNECT": headers(PSEUDO + line(b":protocol", b"websocket")),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_malformed_request_is_not_served(localhost, name):
    """RFC 9114 4.1.2: H3_MESSAGE_ERROR, of the stream or of the connection, or 400."""
    called = []

    async def app(scope, receive, send):
        called.append(scope["path"])
        await read_body(receive)
        await answer(send, b"served")

    with Served(app, localhost) as served:
        with Quic(served.place) as quic:
            quic.until(lambda: quic.handshake is not None)
            number = quic.quic.get_next_available_stream_id()
            x = quic.stream(number)
            quic.quic.send_stream_data(number, MESSAGES[name], True)
            quic.until(lambda: x.ended or x.reset is not None or quic.end is not None)
            if quic.end is not None:
                assert quic.end.error_code == MESSAGE
            elif x.reset is not None:
                assert x.reset == MESSAGE
            else:
                assert x.status == 400
        assert get(served.place, "/next").body == b"served"


ORDERS = {
    "DATA after trailers": headers(PSEUDO) + headers(line(b"x", b"1")) + b"\0\x01a",
    "fields after trailers": headers(PSEUDO) + headers(line(b"x", b"1")) * 2,
}


@pytest.mark.parametrize("name", ORDERS)
def test_frames_in_the_wrong_order_have_their_code(localhost, name):
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        raw.quic.send_stream_data(0, ORDERS[name], True)
        assert raw.code() == UNEXPECTED


@pytest.mark.parametrize("data", [b"", b"\x21\x00"])
def test_a_request_without_a_head_is_incomplete(localhost, data):
    """Or its frames are not those that were expected, as nghttp3 has it."""
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        raw.quic.send_stream_data(0, data, True)
        x = raw.stream(0)
        raw.until(lambda: x.reset is not None or raw.end is not None, "the reset")
        found = x.reset if raw.end is None else raw.end.error_code
        assert found in (INCOMPLETE, UNEXPECTED)


@pytest.mark.parametrize("name", [b"", b"x y", b"x:y"])
@pytest.mark.parametrize("value", [b"1", b"a\r\nb: c", b"\0"])
def test_a_field_with_wrong_characters_does_not_reach_the_application(
    localhost, name, value
):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    lines = line(name, value) + line(b"x", b"\r\n" + value) + line(b"y", b"good")
    with Served(app, localhost) as served, Quic(served.place) as quic:
        quic.until(lambda: quic.handshake is not None)
        number = quic.quic.get_next_available_stream_id()
        x = quic.stream(number)
        quic.quic.send_stream_data(number, headers(PSEUDO + lines), True)
        quic.until(lambda: x.ended or x.reset is not None or quic.end is not None)
    for scope in scopes:
        assert scope["headers"] == [(b"host", b"a"), (b"y", b"good")]
