"""More requests come than can be served: clients that wait are served in time.

Each call keeps the loop for a while, so that requests wait for their turn.

Covers src/server/accept.c.
"""

import os
import select
import time

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, read_answer, request

PATIENCE = int(os.environ.get("PATIENCE", "1"))
CLIENTS = 300
CALL_S = 0.01

loops = pytest.mark.parametrize("loop", LOOPS)


class Slow:
    """An application that keeps the loop for each call, and counts them."""

    def __init__(self):
        self.calls = 0

    async def app(self, scope, receive, send):
        self.calls += 1
        time.sleep(CALL_S)
        await answer(send, b"x")


def crowd(serving):
    """Return connections of clients that have all asked at once."""
    socks = [serving.connect_directly() for _ in range(CLIENTS)]
    for sock in socks:
        sock.sendall(request())
    return socks


def answers(socks):
    """Return what each of the clients gets."""
    got = []
    for sock in socks:
        with sock:
            got.append(read_answer(sock))
    return got


@loops
def test_clients_that_wait_are_all_served(loop):
    slow = Slow()
    with Serving(slow.app, loop) as serving:
        got = answers(crowd(serving))
    assert [x.status for x in got] == [200] * CLIENTS
    assert slow.calls == CLIENTS


@loops
def test_what_waits_longer_than_it_may_is_503(loop):
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
def test_requests_of_clients_that_have_left_do_not_begin(loop):
    slow = Slow()
    with Serving(slow.app, loop) as serving:
        for sock in crowd(serving):
            sock.close()
        end = time.monotonic() + 2 * PATIENCE
        while serving.ask().status != 200:
            assert time.monotonic() < end, "one that asks again is served soon"
    # Those that have waited less than 0.2 s may be half-closed and want their answers;
    # what is known of a queue takes 0.2 s; each takes CALL_S, or longer by any noise.
    assert slow.calls < CLIENTS // 2


def test_a_client_that_half_closes_is_served_where_there_is_no_queue():
    async def app(scope, receive, send):
        await answer(send, b"x")

    with Serving(app) as serving, serving.connect_directly() as sock:
        sock.sendall(request())
        sock.shutdown(1)
        select.select([sock], [], [], DEADLINE_S)
        assert read_answer(sock).body == b"x"
