"""Priorities (RFC 9218): which of the waiting responses is sent first."""

import pytest
from rawclient import Raw
from rawframes import (
    END_HEADERS,
    END_STREAM,
    GET,
    HEADERS,
    PRIORITY_UPDATE,
    frame,
    settings,
    window_update,
)
from serving import Serving, answer

SIZE = 200_000
WINDOWS = settings((4, 1 << 20))


async def bulky(scope, receive, send):
    """Respond with a large body."""
    await answer(send, b"x" * SIZE)


def ask(stream, priority=None):
    """Return the frame of a request."""
    block = GET
    if priority is not None:
        name, value = b"priority", priority.encode()
        block += bytes([0, len(name)]) + name + bytes([len(value)]) + value
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)


def update(stream, priority):
    """Return PRIORITY_UPDATE."""
    payload = stream.to_bytes(4, "big") + priority.encode()
    return frame(PRIORITY_UPDATE, 0, 0, payload)


def order_of(raw, skip):
    """Return the streams of the DATA frames in order, consecutive ones once."""
    order = []
    for _, _, stream, data in raw.of(0)[skip:]:
        if data and order[-1:] != [stream]:
            order.append(stream)
    return order


def played(*sent, wanted):
    """Stall the connection with a bulky response, send, and open the window.

    Return the order of the frames received then: the bulky response is stream 1.
    """
    with Serving(bulky) as serving, Raw(serving, WINDOWS) as raw:
        raw.send(ask(1))
        raw.until(lambda: len(raw.body(1)) == 65535)
        raw.send(b"".join(sent))
        raw.ping()
        before = len(raw.of(0))
        raw.send(window_update(0, 1 << 22))
        raw.until(lambda: all(len(raw.body(s)) == SIZE for s in wanted))
        return order_of(raw, before)


def test_an_urgent_response_is_sent_before_a_bulky_one():
    assert played(ask(3, "u=0"), wanted=[1, 3]) == [3, 1]


def test_a_less_urgent_response_waits():
    assert played(ask(3, "u=7"), ask(5), wanted=[1, 3, 5]) == [1, 5, 3]


def test_responses_of_equal_urgency_are_sent_in_order():
    assert played(ask(3), ask(5), wanted=[1, 3, 5]) == [1, 3, 5]


def test_incremental_responses_are_interleaved():
    order = played(ask(3, "u=1, i"), ask(5, "u=1, i"), wanted=[1, 3, 5])
    assert order[:4] in ([3, 5, 3, 5], [5, 3, 5, 3])
    assert order[-1] == 1


def test_a_priority_may_be_updated():
    assert played(ask(3), ask(5), update(5, "u=0"), wanted=[1, 3, 5]) == [5, 1, 3]


def test_a_priority_may_be_received_before_its_request():
    assert played(update(3, "u=0"), ask(3), wanted=[1, 3]) == [3, 1]


@pytest.mark.parametrize("value", ["", "u=9", "u=", "i=?2", "\x01", "u=0;a=b, x=(1 2)"])
def test_an_invalid_priority_is_ignored(value):
    with Serving(bulky) as serving, Raw(serving, WINDOWS) as raw:
        raw.send(update(1, value))
        raw.send(ask(1) + ask(3, value if value.isprintable() else "u=1"))
        raw.send(window_update(0, 1 << 22))
        raw.until(lambda: len(raw.body(3)) == SIZE)
        assert (raw.status(1), raw.status(3)) == ("200", "200")
