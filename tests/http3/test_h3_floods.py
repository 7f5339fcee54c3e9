"""Floods of packets and frames of QUIC, and games with its limits: others are served,
and memory stays bounded (src/quic/endpoint.c, src/quic/ids.c, src/quic/token.c,
src/server/quic.c)."""

import os
import socket
import time

import pytest
from aioquic.quic.connection import QuicConnection
from aioquic.tls import Epoch
from quic_client import configuration
from raw_quic import Raw, frame, stream_frame
from serving import answer, more, read_body, start
from talking_h3 import Quic, Served, get
from test_h3_hostile import logged, memory

VIOLATION = 10


async def echo(scope, receive, send):
    await answer(send, await read_body(receive))


def first_packet():
    """Return a client's first packet."""
    quic = QuicConnection(configuration=configuration())
    quic.connect(("127.0.0.1", 1), 0.0)
    return quic.datagrams_to_send(0.0)[0][0]


def received(sock):
    """Return the datagrams that are there."""
    got = []
    sock.settimeout(0.2)
    try:
        while True:
            got.append(sock.recv(65536))
    except TimeoutError:
        return got


@pytest.mark.parametrize("limit", [0, 10, 1 << 24])
def test_a_flood_of_first_packets_harms_nobody(localhost, limit):
    """With Retry for all clients, from 10 handshakes on, and for none."""
    count = 200
    settings = {"timeout_handshake": 1.0, "timeout_keep_alive": 300}
    with (
        Served(echo, localhost, h3_retry_from=limit, **settings) as served,
        Quic(served.place) as quic,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        assert quic.get().status == 200
        before, open_now = memory(), served.server.server_state.connections
        sock.connect(served.place)
        sent = 0
        for i in range(count):
            packet = first_packet()
            sent += len(packet)
            sock.send(packet)
            if i % 10 == 0:
                quic.step(0)
        got = received(sock)
        assert len(open_now) <= 1 + min(limit, count)
        if limit == 0:
            assert all(x[0] & 0xF0 == 0xF0 for x in got), "each one is a Retry"
        assert sum(map(len, got)) <= 3 * sent
        assert memory() - before < 60 << 20
        assert quic.get().status == 200
        assert get(served.place).status == 200
        quic.until(lambda: len(open_now) <= 2, "the end of the handshakes")


def test_tiny_and_broken_datagrams_are_not_answered(localhost):
    with (
        Served(echo, localhost) as served,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.connect(served.place)
        packet = bytearray(first_packet())
        for size in (1, 5, 20, 100, 1199):
            sock.send(packet[:size])
        for i in range(1000):
            sock.send(os.urandom(1 + i % 20))
        for at in range(18, 1200, 100):
            broken = bytearray(packet)
            broken[at] ^= 1
            sock.send(broken)
        assert sum(map(len, received(sock))) < 20 * 1200
        assert get(served.place).status == 200
        assert not served.log.errors()


FLOODS = {
    "PING": b"\x01" * 1000,
    "PADDING": b"\0" * 1000,
    "PATH_CHALLENGE": frame(0x1A, b"datadata") * 100,
    "MAX_DATA": frame(0x10, 1 << 20) * 200,
    "MAX_STREAMS": frame(0x12, 1 << 20) * 200,
    "STREAMS_BLOCKED": frame(0x16, 128) * 200,
    "DATA_BLOCKED": frame(0x14, 1 << 20) * 200,
    "MAX_STREAM_DATA": frame(0x11, 0, 1 << 20) * 200,
    "RESET_STREAM of one stream": frame(0x04, 0, 0, 0) * 200,
    "STOP_SENDING of one stream": frame(0x05, 0, 0) * 200,
    "STREAM without a byte": stream_frame(0, b"") * 200,
    "the same byte": stream_frame(0, b"\x21") * 200,
    "the same ID": frame(0x18, 9, 0, b"\x08" + b"i" * 8, b"t" * 16) * 30,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_frames_harms_nobody(localhost, name):
    """Whether it ends the connection or not."""
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        assert quic.get().status == 200
        before, begun = memory(), time.thread_time()
        with Raw(served.place) as raw:
            for i in range(20):
                raw.flood([FLOODS[name]] * 50)
                if raw.end is not None:
                    break
                quic.step(0)
                if i % 5 == 0:
                    assert quic.get().status == 200
        assert memory() - before < 8 << 20
        assert time.thread_time() - begun < 60
        assert quic.get().status == 200
        assert not served.log.errors()


def test_ids_that_are_retired_are_replaced_within_a_limit(localhost):
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        before, retired = memory(), set()
        for _ in range(300):
            for known in raw.quic._peer_cid_available:
                retired.add(known.sequence_number)
            raw.send(b"".join(frame(0x19, x) for x in sorted(retired)[-50:] if x > 0))
            raw.step(0.002)
            if raw.end is not None:
                break
        assert memory() - before < 4 << 20
        assert get(served.place).status == 200


def test_ids_that_retire_each_other_are_within_a_limit(localhost):
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        before = memory()
        for i in range(10, 1000):
            cid = i.to_bytes(8, "big")
            raw.send(frame(0x18, i, i, b"\x08", cid, cid * 2))
            if i % 20 == 0:
                raw.step(0)
            if raw.end is not None:
                break
        assert memory() - before < 4 << 20
        assert get(served.place).status == 200


@pytest.mark.parametrize("ahead", [1, 1000])
def test_an_optimistic_acknowledgement_is_a_violation(localhost, ahead):
    """A client that acknowledges what it has not received, to get more."""

    async def app(scope, receive, send):
        await start(send)
        for _ in range(100):
            await more(send, bytes(65536))
        await send({"type": "http.response.body"})

    with Served(app, localhost) as served, Quic(served.place) as quic:
        quic.until(lambda: quic.handshake is not None)
        number = quic.ask()
        quic.until(lambda: quic.stream(number).body)
        space = quic.quic._spaces[Epoch.ONE_RTT]
        space.ack_queue.add(0, space.largest_received_packet + ahead * 1000)
        space.ack_at = 0
        quic.quic.send_ping(1)
        assert quic.code() == VIOLATION


def test_a_client_that_opens_no_window_is_left(localhost):
    """Its packets keep the connection, but not a response that it does not take."""

    async def app(scope, receive, send):
        await start(send)
        while True:
            await more(send, bytes(65536))

    settings = {"max_data": 100_000, "max_stream_data": 50_000}
    with (
        Served(app, localhost, timeout_send=1) as served,
        Raw(served.place, **settings) as raw,
    ):
        raw.quic._write_stream_limits = lambda **_: None
        raw.quic._write_connection_limits = lambda **_: None
        lines = b"\xd1\xd7\xc1\x50\x01a"
        raw.quic.send_stream_data(0, frame(1, 2 + len(lines), b"\0\0", lines), True)
        due = time.monotonic() + 20
        while raw.end is None and raw.stream(0).reset is None:
            assert time.monotonic() < due
            raw.quic.send_ping(1)
            raw.step(0.1)
        assert logged(served, "--timeout-send")
