"""``--workers``: a supervisor keeps the configured number of processes serving."""

import contextlib
import os
import re
import signal
from collections import Counter

import pytest
from command import Command, connect, read_until, request, serve, talk
from crews import Load, ask, is_alive, needs_wrk, pids, successor_of, wait_for, workers

ASKED = request(fields="")


def test_all_workers_serve_and_stop_with_0():
    with workers(3) as command:
        port = command.port()
        found = pids(command)
        assert len(found) == 3
        wait_for(lambda: found.discard(ask(port)) or not found, "not all answer")
        assert command.stop() == 0
        assert "error" not in command.err.rest()


def test_the_supervisor_runs_no_application():
    with workers(1) as command:
        assert ask(command.port()) in pids(command)


def spread(port, number):
    """Return how many of ``number`` keep-alive connections each worker has, by pid."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(connect(port)) for _ in range(number)]
        for peer in peers:
            peer.sendall(ASKED)
        return Counter(
            read_until(peer, b"\r\n\r\n").partition(b"\r\n\r\n")[2] for peer in peers
        )


def test_connections_are_distributed_evenly():
    """The busiest of four workers has at most 1.2 times the mean of 256 connections.

    The others take over from a worker that gets no processor. On a busy machine only
    rounds count in which all four accept, and one of eight such rounds has to be even.
    """
    with workers(4) as command:
        rounds = []

        def is_shown():
            counts = spread(command.port(), 256)
            if len(counts) == 4:
                rounds.append(max(counts.values()))
            return len(rounds) == 8 or min(rounds, default=256) <= 1.2 * 64

        wait_for(is_shown, "some worker accepts nothing")
        assert min(rounds) <= 1.2 * 64, rounds


def test_a_worker_that_is_killed_is_replaced():
    with workers(2) as command:
        port = command.port()
        first = ask(port)
        os.kill(first, signal.SIGKILL)
        command.err.line_with(f"worker {first} was killed by SIGKILL")
        wait_for(lambda: len(pids(command) - {first}) == 2, "no new worker")
        for _ in range(20):
            assert ask(port) != first
        assert command.stop() == 0


def test_killing_a_worker_loses_only_its_running_requests(tmp_path):
    go_on = tmp_path / "go"
    with workers(2, "pid_after") as command, contextlib.ExitStack() as stack:
        port = command.port()
        left = set(pids(command))
        wait_for(lambda: left.discard(ask(port)) or not left, "not all answer")
        peers = [stack.enter_context(connect(port)) for _ in range(8)]
        for peer in peers:
            peer.sendall(request(f"/?{go_on}", fields=""))
        for _ in peers:
            command.err.line_with("begun")
        killed = pids(command).pop()
        os.kill(killed, signal.SIGKILL)
        later = connect(port)
        later.sendall(request())
        go_on.touch()
        lost = 0
        for peer in peers:
            with contextlib.suppress(ConnectionResetError):
                answer = peer.recv(65536)
                assert answer == b"" or f"\r\n\r\n{killed}".encode() not in answer
                lost += answer == b""
                continue
            lost += 1
        assert lost < len(peers)
        assert read_until(later, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        later.close()
        assert command.stop() == 0


def test_a_worker_that_dies_repeatedly_is_restarted_with_backoff(tmp_path):
    env = {"MARK": str(tmp_path / "started once")}
    with workers(1, "dies_after_start", env=env) as command:
        command.port()
        for wait in ("0.2", "0.4"):
            command.err.line_with(f"the next start is in {wait} s")


SIGNALLED_ONCE = """
import os, signal, weakref

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})

class It:
    pass

def gone(_):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(100_000):
        pass  # the signal is handled in here

starts = os.environ["STARTS"]
with open(starts, "a+") as file:
    file.write(".")
if os.path.getsize(starts) == 2:
    it = It()
    there = weakref.ref(it, gone)
    del it
"""


def test_a_signal_ends_the_import_in_a_worker_at_any_point(tmp_path):
    """Python ignores exceptions in the callback of a weakref."""
    (tmp_path / "signalled.py").write_text(SIGNALLED_ONCE)
    words = ["--app-dir", str(tmp_path), "--workers", "1", "--port", "0"]
    env = {"STARTS": str(tmp_path / "starts")}
    with Command("signalled:app", *words, env=env) as command:
        port = command.port()
        first = ask(port)
        os.kill(first, signal.SIGKILL)
        command.err.line_with("exited with code 143")
        assert ask(port) != first
        assert command.stop() == 0
        assert "ignored" not in command.err.rest()


@pytest.mark.parametrize(
    ("target", "env", "code", "why"),
    [
        ("lifespan", {"SAYS": "startup.failed"}, 3, "startup failed: no database"),
        ("no_such", {}, 1, 'module "apps" has no attribute "no_such"'),
        ("dies", {}, 3, "exited with code 7 at its start"),
    ],
)
def test_a_failed_start_is_logged_once_and_ends_all(target, env, code, why):
    with workers(4, target, env=env) as command:
        assert command.wait() == code
        said = command.err.rest()
        assert said.count(why) == 1
        assert "listening" not in said


def test_two_binds_of_one_port_end_before_a_worker_starts():
    with workers(2) as first:
        port = first.port()
        with workers(2, "pid", "--port", str(port)) as second:
            assert second.wait() == 1
            assert "the address is in use by python, pid " in second.err.rest()


def test_signals_add_and_remove_workers():
    with workers(1) as command:
        port = command.port()
        for number, count in (
            (signal.SIGTTIN, 2),
            (signal.SIGTTIN, 3),
            (signal.SIGTTOU, 2),
            (signal.SIGTTOU, 1),
            (signal.SIGTTOU, 1),
        ):
            command.signal(number)
            wait_for(lambda n=count: len(pids(command)) == n, f"not {count} workers")
            assert ask(port)
        assert command.stop() == 0


def test_a_worker_at_max_requests_is_replaced_without_a_gap():
    with workers(1, "pid", "--limit-max-requests", "5") as command:
        port = command.port()
        first = ask(port)
        answers = 1
        while (pid := ask(port)) == first:
            answers += 1
        assert answers >= 5
        assert pid in pids(command)
        assert command.stop() == 0


def test_a_server_without_workers_stops_at_max_requests():
    with serve("pid", "--limit-max-requests", "2") as command:
        port = command.port()
        ask(port)
        ask(port)
        assert command.wait() == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--worker-lifetime", "0.3"], "has lived for its time"),
        (["--limit-rss", "1000000"], "takes "),
    ],
)
def test_a_worker_over_its_lifetime_or_memory_is_replaced(words, why):
    with workers(1, "pid", *words) as command:
        port = command.port()
        first = ask(port)
        command.err.line_with(f"worker {first} {why}")
        wait_for(lambda: ask(port) != first, "the worker was not replaced")
        assert command.stop() == 0


def test_a_blocked_worker_is_killed_only_with_a_heartbeat():
    with workers(2, "blocking", "--heartbeat", "0.5") as command:
        port = command.port()
        with connect(port) as peer:
            peer.sendall(request())
            command.err.line_with("begun")
            line = command.err.line_with("its loop has been blocked for 0.5 s")
            pid = int(re.search(r"worker (\d+)", line).group(1))
            command.err.line_with(f"worker {pid} was killed by SIGKILL")
            wait_for(lambda: len(pids(command) - {pid}) == 2, "no new worker")
        assert command.stop() == 0


def test_workers_end_if_their_supervisor_is_killed():
    with workers(2) as command:
        command.port()
        found = pids(command)
        command.process.kill()
        command.wait()
        wait_for(lambda: not any(map(is_alive, found)), "workers are still alive")


def test_a_second_signal_kills():
    with workers(2, "blocking") as command:
        port = command.port()
        with connect(port) as peer:
            peer.sendall(request())
            command.err.line_with("begun")
            command.signal(signal.SIGTERM)
            command.err.line_with("stopping; workers: 2")
            command.signal(signal.SIGTERM)
            assert command.wait() == 128 + signal.SIGTERM


def test_a_signal_to_the_whole_group_is_one_signal():
    """A terminal's Ctrl-C and systemd send signals to the whole group."""
    with workers(2, "slow") as command, connect(command.port()) as peer:
        peer.sendall(request())
        command.err.line_with("begun")
        for pid in [command.process.pid, *pids(command)]:
            os.kill(pid, signal.SIGTERM)
        assert read_until(peer, b"finished")
        assert command.wait() == 0


@needs_wrk
def test_reloads_and_an_upgrade_under_load_lose_no_request():
    with workers(2) as command, Load(command.port()) as load:
        for number in range(1, 21):
            before = pids(command)
            command.signal(signal.SIGHUP)
            wait_for(
                lambda n=number: command.err.count("new workers are serving") >= n,
                f"reload {number} does not end",
            )
            assert len(pids(command) - before) == 2, number
        with successor_of(command):
            assert command.wait() == 0
            assert load.process.poll() is None
            assert load.failed() == []


def test_a_reload_imports_the_application_again(tmp_path):
    module = tmp_path / "changing.py"
    text = "from apps import answer\nasync def app(s, r, send):\n"
    body = "    if s['type'] == 'http': await answer(send, b'{}')\n"
    module.write_text(text + body.format("old"))
    words = ["--app-dir", str(tmp_path), "--workers", "2", "--port", "0"]
    here = os.path.dirname(__file__)
    env = {"PYTHONPATH": f"{here}:{os.environ['PYTHONPATH']}"}
    with Command("changing:app", *words, env=env) as command:
        port = command.port()
        assert talk(port, request()).endswith(b"old")
        module.write_text("raise ValueError('no')\n")
        command.signal(signal.SIGHUP)
        command.err.line_with("the reload is abandoned, and the other workers continue")
        assert talk(port, request()).endswith(b"old")
        module.write_text(text + body.format("new"))
        command.signal(signal.SIGHUP)
        command.err.line_with("reloaded: 2 new workers are serving")
        wait_for(lambda: talk(port, request()).endswith(b"new"), "the old one answers")
        assert command.stop() == 0


def test_preloaded_workers_share_one_import_and_a_reload_imports_again(tmp_path):
    text = (
        "import os\nfrom apps import answer\nloader = os.getpid()\n"
        "async def app(s, r, send):\n"
        "    if s['type'] == 'http': await answer(send, b'%d' % loader)\n"
    )
    (tmp_path / "loaded.py").write_text(text)
    env = {"PYTHONPATH": f"{os.path.dirname(__file__)}:{os.environ['PYTHONPATH']}"}
    words = ["--app-dir", str(tmp_path), "--workers", "2", "--port", "0", "--preload"]
    with Command("loaded:app", *words, env=env) as command:
        port = command.port()
        first = ask(port)
        for _ in range(8):
            assert ask(port) == first != command.process.pid
        command.signal(signal.SIGHUP)
        command.err.line_with("reloaded: 2 new workers are serving")
        wait_for(lambda: ask(port) != first, "the old import serves on")
        command.signal(signal.SIGTTIN)
        template_and_workers = 4
        wait_for(lambda: len(pids(command)) == template_and_workers, "no new worker")
        assert command.stop() == 0


def test_an_orphan_of_a_preloaded_worker_is_reaped():
    with workers(1, "orphan", "--preload") as command:
        orphan = ask(command.port())
        assert orphan in pids(command)
        os.kill(orphan, signal.SIGTERM)
        wait_for(lambda: orphan not in pids(command), "it stays a zombie")
        assert command.stop() == 0


def test_an_application_that_cannot_be_preloaded_ends_the_command():
    with workers(2, "no_such", "--preload") as command:
        assert command.wait() == 1
        assert command.err.rest().count("has no attribute") == 1
