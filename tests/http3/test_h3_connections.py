"""QUIC connections: how they open, move, and end (src/quic/endpoint.c,
src/quic/connection.c, src/quic/writer.c, src/quic/handshake.c,
src/quic/handshake_compat.c, src/quic/handshake_native.c).
"""

import contextlib
import os
import re
import socket
import threading
import time

import pytest
from aioquic.quic.packet import QuicProtocolVersion
from command import Command
from serving import DEADLINE_S, answer, read_body, start
from talking_h3 import Quic, Served, encode_uint_var, get

NO_ERROR = 0x100


async def echo(scope, receive, send):
    await answer(send, await read_body(receive))


def exchange(place, data, wait_s=5):
    """Send one datagram; return what comes back, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait_s)
        sock.connect(place)
        sock.send(data)
        try:
            return sock.recv(65536)
        except TimeoutError:
            return None


def long_header(version, size):
    """Return a packet with a long header and a length of ``size``."""
    head = b"\xc0" + version.to_bytes(4, "big") + b"\x08" + b"d" * 8 + b"\x04ssss"
    return head + bytes(size - len(head))


def test_another_version_is_negotiated(localhost):
    with Served(echo, localhost) as served:
        got = exchange(served.place, long_header(0x1A2A3A4A, 1200))
        assert got[0] & 0x80
        assert got[1:5] == bytes(4)
        assert got[5:6] + got[6:10] == b"\x04ssss"
        assert b"\0\0\0\1" in got[10:]
        assert b"\x6b\x33\x43\xcf" in got[10:]


@pytest.mark.parametrize("version", [0x1A2A3A4A, 1])
def test_a_small_datagram_opens_nothing(localhost, version):
    with Served(echo, localhost) as served:
        assert exchange(served.place, long_header(version, 1199), 0.5) is None
        assert get(served.place).status == 200


def test_a_packet_of_no_connection_is_answered_by_a_shorter_reset(localhost):
    with Served(echo, localhost) as served:
        packet = b"\x40" + os.urandom(100)
        first, second = (exchange(served.place, packet) for _ in range(2))
        assert len(first) < len(packet)
        assert first[0] & 0xC0 == 0x40
        assert first[-16:] == second[-16:], "the token belongs to the connection ID"
        assert exchange(served.place, packet[:40], 0.5) is None


def test_random_datagrams_harm_nobody(localhost):
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        assert quic.get().status == 200
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(served.place)
            for i in range(2000):
                sock.send(os.urandom(1 + i % 1400))
        assert quic.get().status == 200
        assert get(served.place).status == 200
        assert not served.log.errors()


@pytest.mark.parametrize(
    "version", [QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2]
)
def test_both_versions_are_spoken(localhost, version):
    settings = {"supported_versions": [version], "original_version": version}
    with Served(echo, localhost) as served:
        assert get(served.place, **settings).status == 200


def test_a_client_proves_its_address_when_it_is_asked(localhost):
    with Served(echo, localhost, h3_retry_from=0) as served, Quic(served.place) as quic:
        assert quic.post(b"body").body == b"body"
        assert quic.quic._retry_count == 1
        quic.until(lambda: quic.tokens)
        with Quic(served.place, token=quic.tokens[0]) as again:
            assert again.get().status == 200
            assert again.quic._retry_count == 0, "it has a token of the first one"
        with Quic(served.place, token=os.urandom(60)) as other:
            assert other.get().status == 200
            assert other.quic._retry_count == 1, "that one is not ours"


def test_a_session_is_resumed(localhost):
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        assert quic.get().status == 200
        quic.until(lambda: quic.tickets)
        with Quic(served.place, session_ticket=quic.tickets[0]) as again:
            assert again.get().status == 200
            assert again.handshake.session_resumed
        assert quic.get().status == 200
        assert len(quic.tickets) == 1, "one connection is all that a client needs"


def test_a_client_may_change_its_port_within_a_response(localhost):
    go_on = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        for _ in range(20):
            body = bytes(20_000)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            go_on.set()
        await send({"type": "http.response.body"})

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask()
        quic.until(lambda: quic.stream(number).body)
        old, quic.socket = quic.socket, quic.new_socket()
        quic.quic.send_ping(1)
        assert quic.finish(number).body == bytes(400_000)
        assert quic.get().body == bytes(400_000)
        old.close()


def test_keys_are_updated(localhost):
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        for _ in range(3):
            assert quic.post(b"body").body == b"body"
            quic.quic.request_key_update()
            quic.quic.send_ping(1)
        assert quic.get().status == 200


@pytest.mark.parametrize("every", [3, 7, 20])
def test_lost_packets_are_repaired(localhost, every):
    """Each n-th datagram is lost, in both directions, from the first one on."""

    def drop(is_sent, number):
        return number % every == every - 1

    body = os.urandom(200_000)
    with Served(echo, localhost) as served, Quic(served.place, drop=drop) as quic:
        assert quic.post(body).body == body


def test_a_stop_lets_responses_end_and_closes_without_an_error(localhost):
    begun, go_on = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        import asyncio

        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        await answer(send, b"late")

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask()
        quic.until(begun.is_set)
        served.server.should_exit = True
        quic.step(0.3)
        go_on.set()
        assert quic.finish(number).body == b"late"
        assert quic.code() == NO_ERROR
        served.thread.join(DEADLINE_S)
        assert not served.thread.is_alive()


def test_a_stop_during_a_handshake_closes_without_an_error(localhost):
    """The ClientHello takes two datagrams, and the stop begins between them."""
    stopping = threading.Event()
    names = ["h3", *(c * 200 for c in "abcdefgh")]

    def drop(is_sent, n):
        return is_sent and n > 1 and not stopping.is_set()

    with (
        Served(echo, localhost) as served,
        Quic(served.place, drop=drop, alpn_protocols=names) as quic,
    ):
        quic.until(lambda: len(served.server.server_state.connections) == 1)
        served.server.should_exit = True
        quic.step(0.3)
        stopping.set()
        assert quic.code() == NO_ERROR
        served.thread.join(DEADLINE_S)
        assert not served.thread.is_alive()


def test_a_stop_does_not_wait_for_a_client_that_says_nothing(localhost):
    names = ["h3", *(c * 200 for c in "abcdefgh")]
    with (
        Served(echo, localhost) as served,
        Quic(
            served.place,
            drop=lambda is_sent, n: is_sent and n > 1,
            alpn_protocols=names,
        ) as quic,
    ):
        quic.until(lambda: len(served.server.server_state.connections) == 1)
        served.server.should_exit = True
        served.thread.join(DEADLINE_S)
        assert not served.thread.is_alive()


def test_an_idle_connection_is_closed_without_an_error(localhost):
    with (
        Served(echo, localhost, timeout_keep_alive=1) as served,
        Quic(served.place) as quic,
    ):
        assert quic.get().status == 200
        assert quic.code() == NO_ERROR


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_each_address_sends_its_own_responses(localhost, words):
    """Whatever connections are served in the same turn."""
    binds = ["--bind", "127.0.0.1:0", "--bind", "127.0.0.2:0", "--bind", "[::1]:0"]
    words = [*words, *binds, "--http3", *localhost.words()]
    with Command("apps:pid", *words) as command:
        found = re.findall(r"https://(\[::1\]|[0-9.]+):(\d+)", command.where())
        places = [(host, int(port)) for host, port in found if host[0] != "["]
        places += [("::1", int(port), 0, 0) for host, port in found if host[0] == "["]
        assert len(places) == 3
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Quic(x)) for x in places for _ in range(3)]
            for _ in range(5):
                numbers = [x.ask() for x in clients]
                for x, number in zip(clients, numbers, strict=True):
                    assert x.finish(number).status == 200


def test_a_first_request_is_served_without_keep_alive(localhost):
    """Also if it comes some time after the handshake."""
    with (
        Served(echo, localhost, timeout_keep_alive=0) as served,
        Quic(served.place) as quic,
    ):
        quic.until(lambda: quic.handshake is not None)
        due = time.monotonic() + 0.5
        quic.until(lambda: time.monotonic() > due)
        assert quic.get().status == 200
        assert quic.code() == NO_ERROR


def test_a_slow_handshake_is_not_an_idle_connection(localhost):
    """The time for the first request begins when the handshake is complete."""
    with (
        Served(echo, localhost, timeout_keep_alive=1, timeout_handshake=60) as served,
        Quic(served.place, drop=lambda is_sent, n: is_sent and n > 1) as quic,
    ):
        due = time.monotonic() + 2.5
        quic.until(lambda: time.monotonic() > due)
        quic.drop = None
        assert quic.get().status == 200
        assert quic.code() == NO_ERROR


def test_a_handshake_that_stalls_is_dropped(localhost):
    """Nothing is kept of a client that sends its first packet alone."""
    with (
        Served(echo, localhost, timeout_handshake=0.5) as served,
        Quic(served.place, drop=lambda is_sent, n: not is_sent) as quic,
    ):
        quic.until(lambda: len(served.server.server_state.connections) == 1)
        quic.drop = lambda is_sent, n: True
        quic.until(lambda: len(served.server.server_state.connections) == 0)
        assert get(served.place).status == 200


FRAMES = {
    "DATA before HEADERS": (0, b"\x00\x01a", 0x105),
    "SETTINGS on a request": (0, b"\x04\x00", 0x105),
    "GOAWAY on a request": (0, b"\x07\x01\x00", 0x105),
    "a frame of HTTP/2": (0, b"\x06\x00", 0x105),
    "a frame that is cut": (0, b"\x21\x05a", 0x106),
    "fields that cannot be decoded": (0, b"\x01\x03\xff\xff\xff", 0x200),
    "no SETTINGS first": (2, b"\x00\x07\x01\x00", 0x10A),
    "SETTINGS twice": (2, b"\x00\x04\x00\x04\x00", 0x105),
    "DATA on the control stream": (2, b"\x00\x04\x00\x00\x01a", 0x105),
    "HEADERS on the control stream": (2, b"\x00\x04\x00\x01\x01a", 0x105),
    "a setting of HTTP/2": (2, b"\x00\x04\x02\x02\x00", 0x109),
    "a push stream of a client": (2, b"\x01\x00", 0x103),
    "the control stream ends": (2, b"\x00\x04\x00", 0x104),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_violation_closes_the_connection_with_its_code(localhost, name, is_cut):
    """RFC 9114 4.1, 6.2, 7.2, 8.1; whole, and a byte at a time."""
    number, data, code = FRAMES[name]
    ends = number == 0 or "ends" in name
    with Served(echo, localhost) as served, Quic(served.place, has_h3=False) as quic:
        quic.until(lambda: quic.handshake is not None)
        parts = [data[i : i + 1] for i in range(len(data))] if is_cut else [data]
        for i, part in enumerate(parts):
            is_last = ends and i == len(parts) - 1
            if quic.end is None:
                quic.quic.send_stream_data(number, part, is_last)
                quic.step(0.02)
        assert quic.code() == code
        assert get(served.place).status == 200


@pytest.mark.parametrize("kind", [0x21, 0x40 * 31 + 0x21 - 0x1F])
def test_what_is_unknown_is_ignored(localhost, kind):
    """Frames, settings and streams of reserved types (RFC 9114 7.2.8, 9)."""
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        quic.until(lambda: quic.handshake is not None)
        uni = quic.quic.get_next_available_stream_id(is_unidirectional=True)
        quic.quic.send_stream_data(uni, encode_uint_var(kind) + b"anything", False)
        number = quic.quic.get_next_available_stream_id()
        quic.quic.send_stream_data(number, encode_uint_var(kind) + b"\x03abc", False)
        quic.stream(number)
        head = [(b":method", b"GET"), (b":scheme", b"https")]
        head += [(b":authority", b"localhost"), (b":path", b"/")]
        quic.h3.send_headers(number, head, True)
        assert quic.finish(number).status == 200


@pytest.mark.parametrize("webtransport", [False, True])
@pytest.mark.parametrize("way", ["end", "reset"])
@pytest.mark.parametrize("begun", [b"", b"\x40", b"\xc0\0\0\0"])
def test_a_unidirectional_stream_may_end_within_its_type(
    localhost, begun, way, webtransport
):
    """RFC 9114 6.2."""
    with (
        Served(echo, localhost, webtransport=webtransport) as served,
        Quic(served.place) as quic,
    ):
        number = quic.quic.get_next_available_stream_id(is_unidirectional=True)
        quic.quic.send_stream_data(number, begun, way == "end")
        quic.flush()
        sender = quic.quic._streams[number].sender
        quic.until(lambda: sender._buffer_start == len(begun))
        if way == "reset":
            quic.quic.reset_stream(number, 0)
        assert quic.post(b"after it").body == b"after it"
