"""A server that stops sends GOAWAY twice and loses no stream (RFC 9113 6.8)."""

import signal

import pytest
from command import connect, serve
from rawclient import Raw
from rawframes import GOAWAY, NO_ERROR, headers
from talking_h2 import Talk


class Place:
    """The request of rawframes."""

    def __init__(self, command):
        self.port = command.port()

    def connect(self):
        """Return a connection."""
        return connect(self.port)


def last_streams(raw):
    """Return the last stream identifiers of GOAWAY frames, and their codes."""
    return [
        (int.from_bytes(x[3][:4], "big"), int.from_bytes(x[3][4:8], "big"))
        for x in raw.of(GOAWAY)
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_connection_gets_goaway_and_ends(number):
    with serve("hello") as command, Raw(Place(command)) as raw:
        raw.send(headers(1))
        raw.until(lambda: raw.body(1))
        command.signal(number)
        raw.until_closed()
        assert last_streams(raw) == [(0x7FFFFFFF, NO_ERROR), (1, NO_ERROR)]
        assert command.wait() == 0


def test_running_streams_are_finished():
    with serve("slow") as command, Raw(Place(command)) as raw:
        for n in range(50):
            raw.send(headers(2 * n + 1))
        for _ in range(50):
            command.err.line_with("begun")
        command.signal(signal.SIGTERM)
        raw.until_closed()
        bodies = [raw.body(2 * n + 1) for n in range(50)]
        assert all(body.endswith(b"finished") for body in bodies)
        assert last_streams(raw)[0] == (0x7FFFFFFF, NO_ERROR)
        assert last_streams(raw)[-1] == (99, NO_ERROR)
        assert len(last_streams(raw)) <= 3
        assert command.wait() == 0


def test_a_request_that_crosses_the_first_goaway_is_served():
    with serve("slow") as command, Raw(Place(command)) as raw:
        raw.send(headers(1))
        command.err.line_with("begun")
        command.signal(signal.SIGTERM)
        raw.until(lambda: raw.of(GOAWAY))
        raw.send(headers(3))
        raw.until_closed()
        assert raw.body(1).endswith(b"finished")
        assert raw.body(3).endswith(b"finished") or last_streams(raw)[-1][0] == 1
        assert command.wait() == 0


def test_a_stream_is_notified_of_the_stop_at_once():
    with serve("stream") as command, Talk(connect(command.port())) as client:
        stream = client.ask()
        client.until(lambda: client.streams[stream].body)
        command.signal(signal.SIGTERM)
        command.err.line_with("received http.disconnect")
        client.until(lambda: client.closed)
        assert client.goaway == NO_ERROR
        assert command.wait() == 0


def test_running_streams_are_reset_after_the_grace_period():
    words = ("--timeout-graceful-shutdown", "0.3")
    with serve("stuck", *words) as command, Raw(Place(command)) as raw:
        raw.send(headers(1))
        command.err.line_with("begun")
        command.signal(signal.SIGTERM)
        raw.until_closed()
        command.wait()
