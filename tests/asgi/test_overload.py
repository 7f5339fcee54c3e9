"""More requests are sent than can be served: waiting clients are served in time.

Each call blocks the loop for a while, so that requests queue up.

Covers src/server/accept.c.
"""

import select
import time

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, read_answer, request

CLIENTS = 300
CALL_S = 0.01

loops = pytest.mark.parametrize("loop", LOOPS)


class Slow:
    """An application whose calls block the loop, and which counts them."""

    def __init__(self):
        self.calls = 0

    async def app(self, scope, receive, send):
        self.calls += 1
        time.sleep(CALL_S)
        await answer(send, b"x")


def crowd(serving):
    """Return connections of clients that have all sent a request at once."""
    socks = [serving.connect_directly() for _ in range(CLIENTS)]
    for sock in socks:
        sock.sendall(request())
    return socks


def answers(socks):
    """Return what each client receives."""
    got = []
    for sock in socks:
        with sock:
            got.append(read_answer(sock))
    return got


@loops
def test_waiting_clients_are_all_served(loop):
    slow = Slow()
    with Serving(slow.app, loop) as serving:
        got = answers(crowd(serving))
    assert [x.status for x in got] == [200] * CLIENTS
    assert slow.calls == CLIENTS


@loops
def test_a_request_that_waits_too_long_is_503(loop):
    slow = Slow()
    with Serving(slow.app, loop, timeout_queue=0.5) as serving:
        got = answers(crowd(serving))
    refused = [x for x in got if x.status == 503]
    assert len(refused) > CLIENTS // 4
    assert {x.field("retry-after") for x in refused} == {"1"}
    assert all(x.status in (200, 503) and x.is_whole for x in got)
    assert slow.calls == CLIENTS - len(refused) >= 0.2 / CALL_S / 4
    assert [x for _, x in serving.log.lines if "503" in x]


@loops
def test_requests_of_disconnected_clients_are_not_started(loop):
    slow = Slow()
    with Serving(slow.app, loop) as serving:
        for sock in crowd(serving):
            sock.close()
        end = time.monotonic() + DEADLINE_S
        while serving.ask().status != 200:
            assert time.monotonic() < end
        # A client that asks again is served soon: before most of the others, however
        # long a call takes on a busy machine.
        assert slow.calls < CLIENTS // 2
    # Clients that have waited less than 0.2 s may be half-closed and still expect their
    # responses; the server needs 0.2 s to detect a queue; each call takes CALL_S or, on
    # a noisy machine, longer.
    assert slow.calls < CLIENTS // 2


def test_a_half_closed_client_is_served_if_there_is_no_queue():
    async def app(scope, receive, send):
        await answer(send, b"x")

    with Serving(app) as serving, serving.connect_directly() as sock:
        sock.sendall(request())
        sock.shutdown(1)
        select.select([sock], [], [], DEADLINE_S)
        assert read_answer(sock).body == b"x"
