"""SIGINT and SIGTERM stop the server gracefully; a second one ends it at once."""

import contextlib
import os
import signal
import time

import pytest
from command import (
    Command,
    connect,
    read_all,
    read_until,
    request,
    serve,
    talk,
)
from crews import children

LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(params=LOOPS)
def loop(request):
    if request.param != "asyncio":
        pytest.importorskip(request.param)
    return ("--loop", request.param)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_server_stops_with_0(number, loop):
    with serve("hello", *loop) as command:
        port = command.port()
        with connect(port) as idle:
            idle.sendall(request(fields=""))
            read_until(idle, b"hello")
            command.signal(number)
            assert command.wait() == 0
            assert read_all(idle) == b""
        assert command.err.rest().endswith("info     stopped\n")


def test_a_running_request_is_finished(loop):
    with serve("slow", *loop) as command, connect(command.port()) as sock:
        sock.sendall(request(fields=""))
        command.err.line_with("begun")
        command.signal(signal.SIGTERM)
        answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert answer.endswith(b"finished")
        assert command.wait() == 0
        assert "info     stopping; connections open: 1\n" in command.err.rest()


@pytest.mark.parametrize("words", [(), ("--workers", "2"), ("--reload",)])
def test_new_connections_are_refused_meanwhile(words):
    with serve("slow", *words) as command, connect(command.port()) as sock:
        sock.sendall(request(fields=""))
        command.err.line_with("begun")
        command.signal(signal.SIGTERM)
        with pytest.raises(ConnectionRefusedError):
            while True:
                with contextlib.suppress(ConnectionResetError):
                    connect(command.port()).close()
        assert read_all(sock).endswith(b"finished")


def test_a_stream_is_notified_of_the_stop_at_once(loop):
    with serve("stream", *loop) as command, connect(command.port()) as sock:
        sock.sendall(request(fields=""))
        read_until(sock, b"first")
        command.signal(signal.SIGTERM)
        command.err.line_with("received http.disconnect")
        assert command.wait() == 0


@pytest.mark.parametrize("app", ["stuck", "stubborn"])
def test_tasks_that_do_not_end_delay_the_stop_only_so_long(app, loop):
    words = ("--timeout-graceful-shutdown", "0.3", *loop)
    code = (
        "import bolide.server, bolide.cli.main\n"
        "bolide.server.LEFTOVERS_S = 0.3\n"
        "bolide.cli.main.main()"
    )
    command = Command(f"apps:{app}", "--port", "0", *words, code=code)
    with command, connect(command.port()) as sock:
        sock.sendall(request(fields=""))
        command.err.line_with("begun")
        command.signal(signal.SIGTERM)
        command.err.line_with("cancelled")
        assert command.wait() == 0
        assert not read_all(sock).startswith(b"HTTP/1.1 200")
        leaves = "leaving behind what still runs after 0.3 s: a task that is not to be"
        assert (leaves in command.err.rest()) == (app == "stubborn")


def test_threads_that_do_not_end_are_abandoned():
    code = (
        "import bolide.server, bolide.cli.main\n"
        "bolide.server.LEFTOVERS_S = 0.1\n"
        "bolide.cli.main.main()"
    )
    with Command("apps:leave_thread", "--port", "0", code=code) as command:
        assert talk(command.port(), request()).endswith(b"left")
        assert command.stop() == 0
        line = command.err.line_with("leaving behind")
        assert line.endswith(" leaving behind what still runs after 0.1 s: left")


@pytest.mark.parametrize(
    ("app", "number"), [("stuck", signal.SIGINT), ("blocking", signal.SIGTERM)]
)
def test_a_second_signal_ends_it_at_once(app, number, loop, tmp_path):
    path = tmp_path / "socket"
    with serve(app, "--uds", str(path), *loop) as command:
        command.where()
        with connect(path) as sock:
            sock.sendall(request())
            command.err.line_with("begun")
            command.signal(signal.SIGINT)
            if app == "stuck":
                command.err.line_with("stopping; ")
            else:
                wait_for_signal_to_be_taken(command.process.pid)
            command.signal(number)
            assert command.wait() == 128 + number
            assert not path.exists()


def wait_for_signal_to_be_taken(pid):
    """Wait until no signal is pending and the process sleeps again."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(line.split(":", 1) for line in file)
        pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
        if pending == 0 and status["State"].strip().startswith("S"):
            return
        time.sleep(0.005)
    raise AssertionError("the signal stays pending")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_import_at_once(number, tmp_path):
    text = "import sys, time\nprint('begun', file=sys.stderr)\ntime.sleep(600)\n"
    (tmp_path / "slow.py").write_text(text)
    with Command("slow:app", "--app-dir", str(tmp_path)) as command:
        command.err.line_with("begun")
        command.signal(number)
        assert command.wait() == 128 + number
        assert command.err.rest() == "begun\n"


@pytest.mark.parametrize("words", [(), ("--workers", "1")], ids=["alone", "workers"])
def test_a_running_startup_completes_and_the_shutdown_follows(loop, words):
    with serve("starts_slowly", *loop, *words) as command:
        command.err.line_with("migrating")
        command.signal(signal.SIGTERM)
        command.err.line_with("stopping when the application has started")
        assert command.wait() == 0
        told = command.err.rest()
        begun = told.index("migrated\n")
        assert begun < told.index("lifespan.shutdown\n")
        assert "cancelled" not in told
        assert "listening" not in told


@pytest.mark.parametrize("words", [(), ("--workers", "1")], ids=["alone", "workers"])
def test_a_startup_that_fails_after_the_signal_is_reported(loop, words):
    env = {"FAILS": "yes"}
    words += ("--lifespan", "on")
    with serve("starts_slowly", *loop, *words, env=env) as command:
        command.err.line_with("migrating")
        command.signal(signal.SIGTERM)
        assert command.wait() == (0 if "--workers" in words else 3)
        assert "no table" in command.err.rest()


def test_a_hanging_startup_ends_after_the_grace_period(loop):
    env = {"SAYS": "hang"}
    words = ("--timeout-graceful-shutdown", "0.3", *loop)
    with serve("lifespan", *words, env=env) as command:
        command.err.line_with("lifespan.startup")
        command.signal(signal.SIGTERM)
        assert command.wait() == 0
        text = "info     stopped before the application had started\n"
        assert command.err.rest().endswith(text)


def test_sigint_stops_it_even_if_inherited_as_ignored():
    """A shell starts background commands with SIGINT ignored."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'bolide', *sys.argv[1:]])"
    )
    with Command("apps:hello", "--port", "0", code=code) as command:
        command.port()
        command.signal(signal.SIGINT)
        assert command.wait() == 0


def test_unread_output_does_not_delay_the_stop():
    """Lines that do not fit are dropped."""
    with serve("hello") as command, connect(command.port()) as sock:
        for _ in range(20):
            sock.sendall(request("/" + "x" * 1000, fields="") * 100)
            read_until(sock, b"hello")
        assert command.stop() == 0


@pytest.mark.parametrize("words", [(), ("--workers", "1")], ids=["alone", "workers"])
def test_a_pid_file_exists_while_it_serves(tmp_path, words):
    path = tmp_path / "pid"
    with serve("echo", "--pid-file", str(path), *words) as command:
        command.port()
        assert path.read_text() == f"{command.process.pid}\n"
        assert command.stop() == 0
    assert not path.exists()


def test_a_pid_file_that_cannot_be_written_is_reported(tmp_path):
    path = tmp_path / "nowhere" / "pid"
    with serve("echo", "--pid-file", str(path)) as command:
        assert command.wait() == 2
        said = command.err.rest()
        assert said == (
            "bolide: error: --pid-file cannot be written: No such file or directory: "
            f"{path}\n"
        )


@contextlib.contextmanager
def stopped(*pids):
    """Suspend processes within the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("place", ["tcp", "unix"])
@pytest.mark.parametrize("count", [5, 200])
@pytest.mark.parametrize("words", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_requests_sent_before_the_signal_are_answered(
    loop, place, count, words, tmp_path
):
    """In the accept queue, and on connections that were idle."""
    where = str(tmp_path / "s")
    own = ("--uds", where) if place == "unix" else ()
    with (
        serve("pid", *loop, *own, *words, "--no-access-log") as command,
        contextlib.ExitStack() as stack,
    ):
        command.where()
        place = where if own else command.port()
        pid = command.process.pid
        every = [pid, *children(pid)]
        idle = [stack.enter_context(connect(place)) for _ in range(5)]
        for sock in idle:
            sock.sendall(request(fields=""))
            read_until(sock, b"\r\n\r\n")
        with stopped(*every):
            new = [stack.enter_context(connect(place)) for _ in range(count)]
            for sock in [*idle, *new]:
                sock.sendall(request(fields=""))
            command.signal(signal.SIGTERM)
        answers = [read_all(sock) for sock in [*idle, *new]]
        assert [x[:12] for x in answers] == [b"HTTP/1.1 200"] * len(answers)
        assert command.wait() == 0
