"""Failing system calls and a shifted clock: the server continues and recovers."""

import errno
import json
import resource
import time
from email.utils import parsedate_to_datetime

import faults
import pytest
from command import DEADLINE_S, Command, connect, read_all, read_until, request, talk
from crews import wait_for

needs_shim = pytest.mark.skipif(
    not faults.Shim.is_possible(), reason="nothing can be preloaded here"
)
BUSY = 0.25
"""The share of a core that is certainly not a busy loop, on a slow machine."""


def serve(*words, **kwargs):
    """Return a command that serves the applications of faults.py."""
    place = ("--app-dir", str(faults.HERE), "--port", "0", "--no-access-log")
    return Command("faults:app", *place, *words, **kwargs)


def answers(peer):
    """Send a request on a kept connection; return whether the response is correct."""
    peer.sendall(request(fields=""))
    return read_until(peer, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def share_of_core(pid, seconds=1.0):
    """Return how much of a core a process uses for a while."""
    before, began = faults.cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (faults.cpu_seconds(pid) - before) / (time.monotonic() - began)


def descriptors(port):
    """Return how many descriptors the server has."""
    return json.loads(talk(port, request("/figures")).partition(b"\r\n\r\n")[2])[
        "descriptors"
    ]


def test_without_free_descriptors_accepting_pauses_without_spinning():
    """EMFILE: kept connections are served meanwhile, and the others afterwards."""
    with serve() as command, connect(command.port()) as kept:
        pid, port = command.process.pid, command.port()
        assert answers(kept)
        before = descriptors(port)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        waiting = [connect(port) for _ in range(20)]
        for peer in waiting:
            peer.sendall(request())
        command.err.line_with("descriptor")
        assert share_of_core(pid) < BUSY
        assert answers(kept)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for peer in waiting:
            assert read_all(peer).startswith(b"HTTP/1.1 200 ")
            peer.close()
        wait_for(lambda: descriptors(port) == before, "descriptors are left")
        assert command.stop() == 0


@needs_shim
@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"])
def test_a_failed_accept_is_retried(tmp_path, name):
    shim = faults.Shim(tmp_path)
    with serve(env=shim.env) as command, connect(command.port()) as kept:
        port = command.port()
        assert answers(kept)
        shim.fail(accepts=5, errno=getattr(errno, name))
        with connect(port) as late:
            late.sendall(request())
            assert answers(kept)
            assert read_all(late).startswith(b"HTTP/1.1 200 ")
        assert shim.failed() == 5
        assert command.stop() == 0


@needs_shim
@pytest.mark.parametrize("name", ["ECONNABORTED", "EPROTO", "EINTR", "EPERM"])
def test_a_failed_accept_does_not_affect_other_clients(tmp_path, name):
    shim = faults.Shim(tmp_path)
    with serve(env=shim.env) as command:
        port = command.port()
        talk(port, request())
        shim.fail(accepts=1, errno=getattr(errno, name))
        assert talk(port, request()).startswith(b"HTTP/1.1 200 ")
        assert shim.failed() == 1
        assert command.stop() == 0


@needs_shim
@pytest.mark.parametrize("name", ["ENOBUFS", "ENOMEM", "EPIPE", "EHOSTUNREACH"])
def test_a_failed_send_ends_only_its_connection(tmp_path, name):
    shim = faults.Shim(tmp_path)
    with serve(env=shim.env) as command, connect(command.port()) as kept:
        port = command.port()
        assert answers(kept)
        before = descriptors(port)
        shim.fail(sends=1, errno=getattr(errno, name))
        talk(port, request())
        assert shim.failed() == 1
        assert answers(kept)
        wait_for(lambda: descriptors(port) == before, "descriptors are left")
        assert command.stop() == 0


@needs_shim
@pytest.mark.parametrize("step", [86400, -86400, 10 * 365 * 86400])
def test_setting_the_clock_changes_dates_and_no_deadline(tmp_path, step):
    """Kept connections and running requests are unaffected; Date shows the new time."""
    shim = faults.Shim(tmp_path)
    words = ("--timeout-keep-alive", "60")
    with serve(*words, env=shim.env) as command, connect(command.port()) as kept:
        port = command.port()
        assert answers(kept)
        with connect(port) as running:
            running.sendall(request("/slow?1"))
            wait_for(lambda: tasks(port) > 0, "it does not run")
            shim.step(step)
            assert read_all(running).endswith(b"slow")

        def shows():
            kept.sendall(request(fields=""))
            head = read_until(kept, b"\r\n\r\n").decode().lower()
            (line,) = (x for x in head.split("\r\n") if x.startswith("date: "))
            shown = parsedate_to_datetime(line[6:]).timestamp()
            return abs(shown - time.time() - step) < 60

        wait_for(shows, "the date does not change")
        assert faults.cpu_seconds(command.process.pid) < DEADLINE_S
        assert share_of_core(command.process.pid) < BUSY
        assert command.stop() == 0


def tasks(port):
    """Return how many tasks the server runs, except for the one that responds."""
    found = json.loads(talk(port, request("/figures")).partition(b"\r\n\r\n")[2])
    return found["tasks"] - 1
