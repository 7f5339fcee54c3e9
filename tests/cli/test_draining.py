"""The stages of a stop as seen by clients, load balancers and people at a terminal.

Covers src/server/stages.c.
"""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from command import (
    DEADLINE_S,
    HERE,
    PATIENCE,
    connect,
    open_websocket,
    read_all,
    read_until,
    request,
    serve,
    talk,
)
from crews import wait_for

from bolide.serving.drain_progress import progress

COUNTS = pytest.mark.parametrize(
    "words", [[], ["--workers", "2"]], ids=["alone", "two"]
)


@COUNTS
def test_during_the_delay_requests_are_served_and_connections_closed(words):
    """New connections are accepted until the delay is over; idle ones may send one
    more request, whose response says that it is the last.
    """
    with serve("pid", "--drain-delay", "2", *words) as command:
        port = command.port()
        idle = connect(port)
        idle.sendall(request(fields=""))
        assert b"close" not in read_until(idle, b"\r\n\r\n").lower()
        began = time.monotonic()
        command.signal(signal.SIGTERM)
        wait_for(
            lambda: command.err.count("draining begins in 2 s") == (2 if words else 1),
            "not all were notified",
        )
        idle.sendall(request(fields=""))
        assert b"\r\nconnection: close\r\n" in read_all(idle).lower()
        answers = 0
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + DEADLINE_S:
                answer = talk(port, request(fields=""))
                assert answer.startswith(b"HTTP/1.1 200") or not answer
                answers += answer.startswith(b"HTTP/1.1 200")
        assert 1.9 < time.monotonic() - began < 2 + 5 * PATIENCE
        assert answers > 0
        assert command.wait() == 0


@COUNTS
def test_a_second_signal_ends_the_delay_at_once(words):
    with serve("pid", "--drain-delay", "600", *words) as command:
        command.port()
        command.signal(signal.SIGTERM)
        command.err.line_with("draining begins in 600 s")
        command.signal(signal.SIGINT)
        assert command.wait() == 128 + signal.SIGINT


def hang_on(command, port, stack, requests, websockets):
    """Start requests and WebSockets that do not end."""
    for _ in range(requests):
        stack.enter_context(connect(port)).sendall(request())
    for _ in range(websockets):
        stack.enter_context(open_websocket(port))
    wait_for(
        lambda: command.err.count("begun") == requests + websockets,
        "not all have started",
    )


@COUNTS
def test_the_log_reports_what_still_runs_while_draining(words):
    words = ["--timeout-graceful-shutdown", "9", "--ws-close-timeout", "60", *words]
    with serve("lingering", *words) as command, contextlib.ExitStack() as stack:
        hang_on(command, command.port(), stack, 3, 2)
        command.signal(signal.SIGTERM)
        line = command.err.line_with("draining: ")
        assert re.search(r"draining: 3 requests, 2 websockets, [34] s left$", line)
        command.signal(signal.SIGTERM)
        assert command.wait() == 128 + signal.SIGTERM


def test_a_terminal_shows_the_progress_every_second():
    command = [sys.executable, "-m", "bolide", "apps:lingering", "--port", "0"]
    command += ["--timeout-graceful-shutdown", "4", "--no-use-colors"]
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(command, cwd=HERE, env=env, stderr=theirs) as process:
        os.close(theirs)
        said = read_terminal(ours, b"stops it)")
        port = int(re.search(rb"127\.0\.0\.1:(\d+)", said).group(1))
        with connect(port) as peer:
            peer.sendall(request())
            read_terminal(ours, b"begun")
            process.send_signal(signal.SIGTERM)
            said = read_terminal(ours, b"stopped")
        assert process.wait(DEADLINE_S) == 0
    os.close(ours)
    assert b"draining: 1 request, 3 s left" in said
    assert b"draining: 1 request, 2 s left" in said


def read_terminal(fd, end):
    """Return what is read from a terminal, up to ``end``."""
    said = b""
    with contextlib.suppress(OSError):  # the other side is closed
        while end not in said:
            said += os.read(fd, 4096)
    assert end in said
    return said


@pytest.mark.parametrize(
    ("running", "websockets", "left", "line"),
    [
        (12, 3, 8.2, "draining: 12 requests, 3 websockets, 8 s left"),
        (1, 0, 1, "draining: 1 request, 1 s left"),
        (0, 1, 0.2, "draining: 1 websocket, 0 s left"),
        (0, 0, 5, ""),
        (2, 0, -3, "draining: 2 requests, 0 s left"),
    ],
)
def test_progress_is_one_line(running, websockets, left, line):
    assert progress([{"running": running, "websockets": websockets}], left) == line


@pytest.mark.parametrize("app", ["stubborn", "blocking"])
def test_a_stuck_application_is_killed_soon_after_the_grace_period(app):
    """A worker that does not end in time is killed."""
    code = (
        "import bolide.server, bolide.cli.main, bolide.processes.supervisor as s\n"
        "s.LEFTOVERS_S = bolide.server.LEFTOVERS_S = 0.5\n"
        "s.KILL_MARGIN_S = 0.5\n"
        "bolide.cli.main.main()"
    )
    words = ["--workers", "1", "--timeout-graceful-shutdown", "1"]
    with serve(app, *words, code=code) as command, connect(command.port()) as peer:
        peer.sendall(request())
        command.err.line_with("begun")
        began = time.monotonic()
        command.signal(signal.SIGTERM)
        assert command.wait() == 0
        assert time.monotonic() - began < 4 * PATIENCE
