"""sd_notify: the service manager is notified of the service's state."""

import contextlib
import os
import signal
import socket

import pytest
from command import DEADLINE_S, Command, connect, request, serve
from crews import is_alive, pids, successor_of, wait_for, workers


class Manager:
    """The socket of a service manager, which receives notifications."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.sock.settimeout(DEADLINE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def hear(self, *skipped):
        """Return the next notification with ``key`` as a dict; skip those without."""
        while True:
            text = self.sock.recv(4096).decode()
            message = dict(line.split("=", 1) for line in text.splitlines())
            if not message.keys() & set(skipped):
                return message


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    path = str(tmp_path / "notify")
    is_file = request.param == "file"
    with Manager(path if is_file else "\0" + path) as found:
        found.address = path if is_file else "@" + path
        yield found


COUNTS = pytest.mark.parametrize(
    "words", [[], ["--workers", "2"]], ids=["alone", "two"]
)


@COUNTS
def test_ready_is_sent_when_serving_and_stopping_on_a_stop(manager, words):
    with serve("slow", *words, env={"NOTIFY_SOCKET": manager.address}) as command:
        port, pid = command.port(), str(command.process.pid)
        assert manager.hear() == {"READY": "1", "MAINPID": pid}
        with connect(port) as peer:
            peer.sendall(request())
            command.err.line_with("begun")
            command.signal(signal.SIGTERM)
            assert manager.hear() == {"STOPPING": "1"}
            assert command.process.poll() is None
            assert command.wait() == 0
        manager.sock.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            raise AssertionError(manager.sock.recv(4096))


@COUNTS
def test_nothing_is_sent_before_the_application_has_started(manager, words):
    env = {"NOTIFY_SOCKET": manager.address, "SAYS": "startup.failed"}
    with serve("lifespan", *words, env=env) as command:
        assert command.wait() == 3
        manager.sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            manager.hear()


@COUNTS
def test_the_watchdog_is_notified_while_the_server_runs(manager, words):
    env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}
    with serve("pid", *words, env=env) as command:
        command.port()
        manager.hear("WATCHDOG")
        for _ in range(5):
            assert manager.hear() == {"WATCHDOG": "1"}
        assert command.stop() == 0


def test_a_blocked_loop_does_not_notify_the_watchdog(manager):
    env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"}
    with serve("blocking", env=env) as command, connect(command.port()) as peer:
        peer.sendall(request())
        command.err.line_with("begun")
        manager.sock.settimeout(0.4)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                manager.hear()


def test_the_watchdog_of_another_process_is_ignored(manager):
    env = {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    with serve("pid", env={"NOTIFY_SOCKET": manager.address, **env}) as command:
        command.port()
        assert "READY" in manager.hear()
        manager.sock.settimeout(0.4)
        with pytest.raises(TimeoutError):
            manager.hear()


def test_a_reload_sends_its_begin_and_its_end(manager):
    with workers(2, env={"NOTIFY_SOCKET": manager.address}) as command:
        command.port()
        assert "READY" in manager.hear()
        before = pids(command)
        command.signal(signal.SIGHUP)
        message = manager.hear()
        assert message["RELOADING"] == "1"
        assert int(message["MONOTONIC_USEC"]) > 0
        assert "READY" in manager.hear()
        assert len(pids(command) - before) == 2
        assert command.stop() == 0


@pytest.mark.parametrize("breaks", ["application", "settings"])
def test_a_failed_reload_sends_its_end_too(manager, tmp_path, breaks):
    module, file = tmp_path / "changing.py", tmp_path / "bolide.toml"
    module.write_text("async def app(scope, receive, send): pass\n")
    file.write_text('lifespan = "off"\n')
    words = ["--app-dir", str(tmp_path), "--config", str(file), "--workers", "1"]
    env = {"NOTIFY_SOCKET": manager.address}
    with Command("changing:app", "--port", "0", *words, env=env) as command:
        command.port()
        assert "READY" in manager.hear()
        if breaks == "application":
            module.write_text("raise ValueError\n")
        else:
            file.write_text("no = setting\n")
        command.signal(signal.SIGHUP)
        assert "RELOADING" in manager.hear()
        assert "READY" in manager.hear()


def test_a_takeover_sends_the_new_main_pid(manager):
    env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}
    with workers(1, env=env) as command:
        command.port()
        assert manager.hear("WATCHDOG")["MAINPID"] == str(command.process.pid)
        with successor_of(command) as pid:
            told = [manager.hear("WATCHDOG") for _ in range(2)]
            assert {"MAINPID": str(pid)} in told
            assert {"MAINPID": str(pid), "READY": "1"} in told
            assert command.wait() == 0
            os.kill(pid, signal.SIGTERM)
            assert manager.hear("WATCHDOG") == {"STOPPING": "1"}
            wait_for(lambda: not is_alive(pid), "it does not end")
