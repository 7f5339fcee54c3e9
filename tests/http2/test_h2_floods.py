"""Peers that cause much work with few bytes: each flood is ended, others are served."""

import asyncio
import time
from pathlib import Path

import pytest
from rawclient import Raw
from rawframes import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    GET,
    PADDED,
    PING,
    POST,
    PRIORITY,
    PRIORITY_UPDATE,
    frame,
    headers,
    rst_stream,
    settings,
    window_update,
)
from serving import Serving, answer
from talking_h2 import talk

CPU_S = 4.0
"""CPU time that the server may use for a flood, on a slow machine with asserts."""

GROWTH_BYTES = 24 << 20
"""Memory by which this process, which is also the client, may grow."""


def resident():
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Watched:
    """Limits the CPU time of the server's thread in its block, and checks that it
    serves.
    """

    def __init__(self, app=None, **kwargs):
        self.calls = 0
        self.running = 0
        self.most = 0

        async def counting(scope, receive, send):
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await (app or hello)(scope, receive, send)
            finally:
                self.running -= 1

        self.serving = Serving(counting, **kwargs)

    def __enter__(self):
        serving = self.serving.__enter__()
        self.clock = time.pthread_getcpuclockid(serving.thread.ident)
        self.before = resident()
        self.began = time.clock_gettime(self.clock)
        return self

    def __exit__(self, kind, *rest):
        spent = time.clock_gettime(self.clock) - self.began
        grown = resident() - self.before
        seen = self.calls, self.most
        if kind is None:
            with talk(self.serving) as client:
                good = client.get().status
        self.calls, self.most = seen
        self.serving.__exit__(kind, *rest)
        if kind is None:
            assert good == 200
            assert spent < CPU_S, f"{spent:.1f} s of CPU time"
            assert grown < GROWTH_BYTES, f"{grown >> 20} MiB more"
            assert self.serving.log.exceptions == []


async def hello(scope, receive, send):
    """Respond with 200."""
    await answer(send, b"hello")


async def slow(scope, receive, send):
    """Respond late, when the client may have disconnected."""
    await asyncio.sleep(0.2)
    await answer(send, b"late")


def odd(n):
    """Return the number of the n-th stream."""
    return 2 * n + 1


def flood(unit, times, first=b"", reads=True, app=None, ends=True, **kwargs):
    """Pour; return the Raw, the Watched, and whether the server has closed the
    connection.

    ``ends``: the server is expected to close it, perhaps after the last unit.
    """
    with Watched(app, **kwargs) as watched, Raw(watched.serving) as raw:
        raw.send(first)
        ended = raw.pour(unit, times, reads)
        if ended or ends:
            raw.until_closed()
    return raw, watched, raw.closed


def test_rapid_reset_is_limited(app=slow):
    """CVE-2023-44487."""
    raw, watched, ended = flood(
        lambda n: headers(odd(n)) + rst_stream(odd(n)), 100_000, app=app
    )
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM
    assert watched.calls < 500


def test_resets_at_the_pace_of_a_user_are_ignored():
    with Serving(slow) as serving, Raw(serving) as raw:
        for n in range(150):
            raw.send(headers(odd(n)) + rst_stream(odd(n)))
        raw.ping()
        assert raw.goaway() is None


MADE = {
    "window update of 0": lambda s: window_update(s, 0),
    "window overflow": lambda s: window_update(s, 0x7FFFFFFF),
    "priority of 4 bytes": lambda s: frame(PRIORITY, 0, s, b"\0" * 4),
    "priority on itself": lambda s: frame(PRIORITY, 0, s, s.to_bytes(4, "big") + b"\0"),
    "data after the end": lambda s: frame(DATA, 0, s, b"x"),
    "headers after the end": lambda s: headers(s),
}


@pytest.mark.parametrize("wrong", MADE.values(), ids=MADE)
def test_resets_that_the_server_is_made_to_send_are_limited(wrong):
    """CVE-2025-8671."""
    raw, watched, ended = flood(
        lambda n: headers(odd(n)) + wrong(odd(n)), 100_000, app=slow
    )
    assert ended and raw.goaway() is not None
    assert watched.calls < 500


def test_malformed_requests_count_as_resets():
    upper = GET + bytes.fromhex("0001580131")  # an upper-case name
    raw, watched, ended = flood(lambda n: headers(odd(n), upper), 100_000)
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM
    assert watched.calls == 0


def test_streams_over_the_limit_are_refused_and_then_limited():
    raw, watched, ended = flood(
        lambda n: headers(odd(n)), 100_000, app=slow, h2_max_streams=10
    )
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM
    assert watched.most <= 10


@pytest.mark.parametrize("size", [0, 1])
def test_endless_continuations_are_limited(size):
    """CVE-2024-27316, CVE-2024-28182."""
    begin = headers(1, GET, flags=0)
    unit = frame(CONTINUATION, 0, 1, bytes.fromhex("82")[:size])
    raw, watched, ended = flood(lambda n: unit, 100_000, first=begin)
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM
    assert watched.calls == 0


QUIET = {
    "PING": frame(PING, 0, 0, b"12345678"),
    "SETTINGS": settings(),
    "SETTINGS of values": settings((4, 65535), (1, 4096)),
    "SETTINGS of many values": settings(*[(4, 65535 + n % 2) for n in range(2730)]),
}


@pytest.mark.parametrize("unit", QUIET.values(), ids=QUIET)
def test_unread_replies_do_not_accumulate(unit):
    """CVE-2019-9512, CVE-2019-9515."""
    many = unit * max(1, 65536 // len(unit))  # more would be growth of the client
    times = 1_000_000_000 // len(many)
    flood(lambda n: many, times, reads=False, ends=False)


NOISE = {
    "PING": frame(PING, 0, 0, b"12345678"),
    "PING ACK": frame(PING, ACK, 0, b"12345678"),
    "SETTINGS": settings(),
    "WINDOW_UPDATE": window_update(0, 1),
    "PRIORITY": frame(PRIORITY, 0, 1001, b"\0\0\0\0\x10"),
    "unknown": frame(0xEE, 0, 0, b"12345678"),
}


@pytest.mark.parametrize("unit", NOISE.values(), ids=NOISE)
def test_useless_frames_end_the_connection(unit):
    """More than 8 MiB, of which less than an eighth was useful."""
    raw, _, ended = flood(lambda n: unit * 1000, 2000)
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM


def test_priority_updates_of_idle_streams_keep_no_state():
    def unit(n):
        return frame(PRIORITY_UPDATE, 0, 0, odd(n).to_bytes(4, "big") + b"u=1")

    flood(unit, 100_000, ends=False)


@pytest.mark.parametrize(
    "empty",
    [
        frame(DATA, 0, 1),
        frame(DATA, PADDED, 1, b"\0"),
        frame(DATA, PADDED, 1, b"\x02\0\0"),
    ],
    ids=["empty", "empty and padded", "only padding"],
)
def test_empty_data_frames_are_limited(empty):
    """CVE-2019-9518."""
    raw, _, ended = flood(
        lambda n: empty, 100_000, first=headers(1, POST, END_HEADERS), app=echo_length
    )
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM


async def echo_length(scope, receive, send):
    """Respond with the length of the body, if the body is complete."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message["more_body"]
    await answer(send, b"%d" % length)


def test_tiny_data_frames_are_a_valid_body():
    with Watched(echo_length) as watched, Raw(watched.serving) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        raw.pour(lambda n: frame(DATA, 0, 1, b"x"), 60_000)
        raw.send(frame(DATA, 1, 1, b"x"))
        raw.until(lambda: raw.body(1))
        assert raw.body(1) == b"60001"


def test_a_block_that_expands_to_megabytes_is_limited():
    """CVE-2016-6581: one field of 4000 octets, and 16,000 references to it."""
    long = bytes.fromhex("40") + b"\x01x" + bytes.fromhex("7fa11e") + b"v" * 4000
    block = GET + long + b"\xbe" * 11_000
    raw, watched, ended = flood(lambda n: headers(odd(n), block), 100)
    assert ended and raw.goaway() == ENHANCE_YOUR_CALM
    assert watched.calls == 0


@pytest.mark.parametrize(
    "name", [b"\x01x\x00", b"\x06cookie\x00"], ids=["field", "cookie crumb"]
)
def test_many_references_are_counted_before_they_are_joined(name):
    """CVE-2026-49975: none of them are stored, even if no window ever opens."""
    block = GET + b"\x40" + name + b"\xbe" * 4000
    begin = settings((4, 0))
    with Watched(h2_max_streams=100) as watched, Raw(watched.serving, begin) as raw:
        for n in range(100):
            raw.send(headers(odd(n), block))
        raw.ping()
        assert [raw.status(odd(n)) for n in range(100)] == ["431"] * 100
    assert watched.calls == 0


def test_a_list_over_the_limit_is_431_and_the_connection_is_kept():
    with Watched(limit_head=2000) as watched, Raw(watched.serving) as raw:
        raw.send(headers(1, GET + b"\x00\x01x" + bytes.fromhex("7fd10e") + b"v" * 2000))
        raw.until(lambda: raw.status(1))
        assert raw.status(1) == "431"
        raw.send(headers(3))
        raw.until(lambda: raw.body(3))
        assert raw.status(3) == "200"
    assert watched.calls == 1


def test_empty_names_are_malformed():
    """CVE-2019-9516."""
    raw, watched, ended = flood(
        lambda n: headers(odd(n), GET + b"\0\0\0" * 100), 10_000
    )
    assert ended and raw.goaway() is not None
    assert watched.calls == 0
