"""Clients of HTTP/3 that cost more than they send: what the server keeps and does for
them is bounded (src/http3/cancel.c, src/http3/control.c, src/quic/connection.c,
src/quic/endpoint.c)."""

import asyncio
import threading
import time

import pytest
from raw_quic import Raw, frame, stream_frame
from serving import DEADLINE_S, answer, more, read_body, start
from talking_h3 import Quic, Served, get

EXCESSIVE_LOAD = 0x107
INTERNAL_ERROR = 0x1
INCOMPLETE = 0x10D
CANCELLED = 0x10C


async def echo(scope, receive, send):
    await answer(send, await read_body(receive))


class Told:
    """An application that records what it receives."""

    def __init__(self):
        self.calls = []
        self.answers = False

    async def __call__(self, scope, receive, send):
        got = []
        self.calls.append(got)
        if self.answers:
            await answer(send, await read_body(receive))
            return
        while True:
            message = await receive()
            got.append(message["type"])
            if message["type"] == "http.disconnect":
                return


def memory():
    """Return the memory of this process in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def logged(served, text):
    """Return whether a line of the log has this text."""
    return any(text in line for _, line in served.log.lines)


def test_a_request_that_is_reset_is_a_disconnect(localhost):
    """RFC 9114 4.1: it is incomplete, and so is its response."""
    app = Told()
    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask("/", "POST", ends=False)
        quic.h3.send_data(number, b"begun", False)
        quic.until(lambda: app.calls and app.calls[0] == ["http.request"])
        quic.quic.reset_stream(number, CANCELLED)
        quic.until(lambda: app.calls[0][-1] == "http.disconnect", "the disconnect")
        x = quic.stream(number)
        quic.until(lambda: x.reset is not None)
        assert x.reset == INCOMPLETE
        app.answers = True
        assert quic.post(b"next").body == b"next"


def test_a_response_that_is_not_wanted_ends_its_request(localhost):
    ended = threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/other":
            await answer(send, await read_body(receive))
            return
        await start(send)
        try:
            while True:
                await more(send, b"part")
                await asyncio.sleep(0.01)
        except OSError:
            ended.set()

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask("/", "POST", ends=False)
        x = quic.stream(number)
        quic.until(lambda: x.body)
        quic.quic.stop_stream(number, CANCELLED)
        quic.until(lambda: x.stopped is not None, "STOP_SENDING")
        assert x.stopped == CANCELLED
        quic.until(ended.is_set, "the end of the call")
        assert quic.post(b"next", "/other").body == b"next"


def test_an_early_response_is_complete_when_the_request_is_reset(localhost):
    async def app(scope, receive, send):
        await answer(send, bytes(500_000))

    settings = {"max_stream_data": 10_000}
    with Served(app, localhost) as served, Quic(served.place, **settings) as quic:
        number = quic.ask("/", "POST", ends=False)
        x = quic.stream(number)
        quic.until(lambda: x.body)
        quic.quic.reset_stream(number, 0x100)
        assert quic.finish(number).body == bytes(500_000)


def test_bodies_that_nobody_read_give_the_window_back(localhost):
    app = Told()
    with (
        Served(app, localhost, h3_connection_window=300_000) as served,
        Quic(served.place) as quic,
    ):
        for i in range(8):
            number = quic.ask("/", "POST", ends=False)
            quic.h3.send_data(number, bytes(100_000), False)
            quic.until(lambda i=i: len(app.calls) > i and app.calls[i])
            quic.until(lambda x=number: quic.quic._streams[x].sender.buffer_is_empty)
            quic.step(0.05)
            quic.quic.stop_stream(number, CANCELLED)
            quic.quic.reset_stream(number, CANCELLED)
            quic.until(lambda i=i: app.calls[i][-1] == "http.disconnect")
        app.answers = True
        assert quic.post(bytes(250_000)).body == bytes(250_000)


def test_a_head_that_stalls_ends_alone(localhost):
    with Served(echo, localhost, timeout_head=0.3) as served, Raw(served.place) as raw:
        raw.quic.send_stream_data(0, b"\x01\x40\x50\0\0")
        x = raw.stream(0)
        raw.until(lambda: x.reset is not None, "the reset")
        assert (x.reset, x.stopped) == (INCOMPLETE, INCOMPLETE)
        assert raw.end is None
        assert logged(served, "--timeout-head")


def test_a_head_that_is_reset_leaves_the_connection(localhost):
    with Served(echo, localhost, timeout_head=0.3) as served, Raw(served.place) as raw:
        raw.quic.send_stream_data(0, b"\x01\x40\x50\0\0")
        raw.flush()
        raw.quic.reset_stream(0, CANCELLED)
        raw.until(lambda: raw.stream(0).reset is not None, "the reset")
        raw.settle(0.8)
        assert raw.end is None
        assert not logged(served, "--timeout-head")


def test_priorities_of_later_streams_are_allowed(localhost):
    """Whenever the client may open more streams (RFC 9218 7)."""
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        for _ in range(200):
            assert quic.get().status == 200
        update = frame(0xF0700, len(frame(804)) + 3, 804, b"u=1")
        control = quic.h3._local_control_stream_id
        quic.quic.send_stream_data(control, update)
        for _ in range(3):
            assert quic.get().status == 200
        quic.step(0.2)
        assert quic.end is None


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("limit", [20, 0])
def test_rapid_resets_end_the_connection(localhost, limit, ends):
    """CVE-2023-44487: requests that are given up before their response."""
    calls = []

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"other")
            return
        calls.append(scope)
        while (await receive())["type"] != "http.disconnect":
            pass

    with (
        Served(app, localhost, h3_max_resets=limit) as served,
        Quic(served.place) as quic,
    ):
        quic.until(lambda: quic.handshake is not None)
        for _ in range(100):
            number = quic.ask("/long", "POST", ends=ends)
            quic.quic.reset_stream(number, CANCELLED)
            quic.quic.stop_stream(number, CANCELLED)
            quic.step(0.02)
            if quic.end is not None:
                break
        if limit == 0:
            assert quic.get().body == b"other"
            return
        assert quic.code() == EXCESSIVE_LOAD
        assert limit <= len(calls) <= limit + 10
        assert logged(served, "--h3-max-resets")
        assert get(served.place).body == b"other"


def test_resets_after_the_response_are_free(localhost):
    """The client stops what it has got, and resets what it has not sent."""

    async def app(scope, receive, send):
        await answer(send, b"early")

    with Served(app, localhost, h3_max_resets=5) as served, Quic(served.place) as quic:
        for _ in range(30):
            number = quic.ask("/", "POST", ends=False)
            x = quic.finish(number)
            assert x.body == b"early"
            quic.quic.reset_stream(number, CANCELLED)
            quic.step(0.01)
        assert quic.get().status == 200


def test_a_failing_application_does_not_count_as_resets(localhost):
    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send)
            return
        await start(send)
        await more(send, bytes(100_000))
        raise ValueError("on purpose")

    with Served(app, localhost, h3_max_resets=5) as served, Quic(served.place) as quic:
        for _ in range(20):
            assert quic.get("/late").reset == 0x102
        assert quic.get().status == 200


def test_fragments_of_many_streams_exceed_a_limit(localhost):
    """Single bytes with gaps between them: each costs many times its size."""

    def packets():
        for number in range(0, 400, 4):
            for at in range(0, 9900, 300):
                yield b"".join(
                    stream_frame(number, b"a", 1 + at + 2 * i) for i in range(150)
                )

    with Served(echo, localhost, timeout_keep_alive=300) as served:
        before = memory()
        with Raw(served.place) as raw:
            raw.flood(packets(), every=4)
            code = raw.code()
        # Newer versions of ngtcp2 limit fragments themselves.
        assert code in (EXCESSIVE_LOAD, INTERNAL_ERROR)
        assert code == INTERNAL_ERROR or logged(served, "--h3-max-memory")
        assert memory() - before < 20 << 20
        assert get(served.place).status == 200


EMPTY = {
    "DATA without a byte": b"\x00\x00",
    "frames of an unknown type": b"\x21\x00",
    "large frames of an unknown type": b"\x21\x43\xe6" + bytes(998),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_flood_of_frames_without_a_use_is_an_overload(localhost, name):
    app = Told()
    part = EMPTY[name] * max(1, 1000 // len(EMPTY[name]))
    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask("/", "POST", ends=False)
        quic.until(lambda: app.calls)
        sent, due = 0, time.monotonic() + 60
        while quic.end is None and sent < 20 << 20 and time.monotonic() < due:
            quic.quic.send_stream_data(number, part * 64)
            sent += len(part) * 64
            waits = quic.quic._streams[number].sender
            while quic.end is None and not waits.buffer_is_empty:
                quic.step(0.01)
        assert quic.code() == EXCESSIVE_LOAD
        assert logged(served, "a flood of HTTP/3 frames")
        assert sent > 8 << 20
        due = time.monotonic() + DEADLINE_S
        while app.calls[0] != ["http.disconnect"]:
            assert time.monotonic() < due
            time.sleep(0.01)


def block(fields):
    """Return a HEADERS frame of a GET with more fields of the static table."""
    head = b"\xd1\xd7\xc1\x50\x01a"  # GET, https, /, :authority a
    return frame(1, 2 + len(head) + len(fields), b"\0\0", head, fields)


def test_fields_over_the_limit_are_431(localhost):
    """One byte of the static table is a field of up to 76 bytes."""
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        quic.until(lambda: quic.handshake is not None)
        number = quic.quic.get_next_available_stream_id()
        quic.quic.send_stream_data(number, block(b"\xff\x16" * 600), True)
        assert quic.finish(number).status == 431
        assert quic.get().status == 200


def test_a_bomb_of_fields_is_an_overload(localhost):
    with Served(echo, localhost) as served:
        before = memory()
        with Quic(served.place) as quic:
            quic.until(lambda: quic.handshake is not None)
            number = quic.quic.get_next_available_stream_id()
            quic.quic.send_stream_data(number, block(b"\xff\x16" * 50_000), True)
            assert quic.code() == EXCESSIVE_LOAD
        assert logged(served, "a flood of HTTP/3 frames")
        assert memory() - before < 8 << 20
        assert get(served.place).status == 200


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_priority_update_may_be_cut_anywhere(localhost, cut):
    """Between the ID and the value nghttp3 1.8 would end the process."""
    update = b"\0\x04\0" + frame(0xF0700, 4, 0, b"u=1")
    with Served(echo, localhost) as served, Raw(served.place) as raw:
        raw.send(stream_frame(2, update[:cut]))
        raw.step(0.05)
        raw.send(stream_frame(2, update[cut:], cut))
        raw.settle(0.1)
        raw.send(stream_frame(2, frame(0xF0700, 2, 4, b"i") * 3, len(update)))
        raw.settle(0.1)
        assert raw.end is None
        assert get(served.place).status == 200


def test_a_failed_call_ends_although_its_request_does_not(localhost):
    """A reset of the response asks the client to stop its request as well."""

    async def app(scope, receive, send):
        await start(send)
        await more(send, bytes(100_000))
        raise ValueError("on purpose")

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask("/", "POST", ends=False)
        x = quic.stream(number)
        quic.until(lambda: x.reset is not None and x.stopped is not None, "both")
        assert (x.reset, x.stopped) == (0x102, 0x102)
