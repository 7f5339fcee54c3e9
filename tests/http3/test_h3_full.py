"""New clients of HTTP/3 and a worker that is full (src/server/quic.c,
src/server/balance.c, src/quic/endpoint.c).
"""

import collections
import contextlib

import pytest
from quic_crews import Client, crew, place_of

from bolide import _engine

pytestmark = pytest.mark.skipif(
    not _engine.can_steer_quic(), reason="the kernel cannot distribute packets"
)

CONNECTION_REFUSED = 2
FULL = ("--limit-concurrency", "4")


class Crowd:
    """Clients with requests that run until the end of its block, for two workers with
    a limit of four each.
    """

    def __init__(self, command, tmp_path):
        self.place, self.go = place_of(command), tmp_path / "go"
        self.clients = contextlib.ExitStack()
        self.counts = collections.Counter()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go.touch()
        self.clients.close()

    def add(self, worker=None):
        """Add a client of any worker, or only if it gets to this one."""
        with contextlib.ExitStack() as block:
            client = block.enter_context(Client(self.place))
            found = client.ask_who()
            if worker is not None and found != worker:
                return
            client.ask(f"/?{self.go}")
            self.counts[found] += 1
            self.clients.enter_context(block.pop_all())

    def fill(self):
        """Fill one worker; return its pid."""
        self.add()
        (worker,) = self.counts
        while self.counts[worker] < 4:
            self.add(worker)
        return worker


def test_a_full_worker_sends_new_clients_to_another(localhost, tmp_path):
    """By a Retry, to which the client responds once."""
    with (
        crew(localhost, *FULL, count=2, target="pid_after") as command,
        Crowd(command, tmp_path) as crowd,
    ):
        full = crowd.fill()
        retries = set()
        for _ in range(16):
            with Client(crowd.place) as client:
                assert client.ask_who() != full
                retries.add(client.quic._retry_count)
        assert retries == {0, 1}
        assert "rejecting" not in command.err.text


def test_a_full_worker_does_so_with_returning_clients_too(localhost, tmp_path):
    """Their tokens would spare them a Retry."""
    with (
        crew(localhost, *FULL, count=2, target="pid_after") as command,
        Crowd(command, tmp_path) as crowd,
    ):
        with Client(crowd.place) as client:
            client.until(lambda: client.tokens)
        full = crowd.fill()
        for _ in range(8):
            settings = {"token": client.tokens[0], "session_ticket": client.tickets[0]}
            with Client(crowd.place, **settings) as again:
                assert again.ask_who() != full
                assert again.handshake.session_resumed


def test_a_client_is_rejected_at_once_when_all_workers_are_full(localhost, tmp_path):
    with (
        crew(localhost, *FULL, count=2, target="pid_after") as command,
        Crowd(command, tmp_path) as crowd,
    ):
        for _ in range(8):
            crowd.add()
        assert [*crowd.counts.values()] == [4, 4]
        for _ in range(4):
            with Client(crowd.place) as client:
                assert client.code() == CONNECTION_REFUSED
        command.err.line_with("more connections than --limit-concurrency 4")
