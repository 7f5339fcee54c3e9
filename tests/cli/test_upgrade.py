"""SIGUSR2: a new process takes over the sockets, and no request is lost."""

import os
import signal

from command import (
    HERE,
    Command,
    connect,
    read_until,
    request,
    serve,
    talk,
)
from crews import (
    ask,
    children,
    is_alive,
    pids,
    successor_of,
    wait_for,
    workers,
)


def stop(pid):
    """Gracefully stop a process that is not our child."""
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(pid), "it does not end")


def test_another_process_takes_over(tmp_path):
    path = tmp_path / "pid"
    with workers(2, "pid", "--pid-file", str(path)) as command:
        port = command.port()
        with successor_of(command) as pid:
            command.err.line_with(f"process {pid} has taken over")
            assert path.read_text() == f"{pid}\n"
            assert command.wait() == 0
            assert path.read_text() == f"{pid}\n"
            assert ask(port) in children(pid)
            stop(pid)
            assert not path.exists()


def test_connections_of_the_old_process_are_served_then_closed(tmp_path):
    go = tmp_path / "go"
    with workers(1, "pid_after") as command, connect(command.port()) as peer:
        port = command.port()
        with connect(port) as other:
            other.sendall(request(fields=""))
            assert b"connection: close" not in read_until(other, b"\r\n\r\n").lower()
            peer.sendall(request(f"/?{go}", fields=""))
            command.err.line_with("begun")
            with successor_of(command) as pid:
                command.err.line_with("has taken over")
                answer = b""
                while b"connection: close" not in answer.lower():
                    other.sendall(request(fields=""))
                    answer = read_until(other, b"\r\n\r\n")
                go.touch()
                answer = read_until(peer, b"\r\n\r\n")
                assert b"connection: close" in answer.lower()
                assert command.wait() == 0
                stop(pid)


def test_a_unix_socket_is_kept_by_a_takeover(tmp_path):
    path = tmp_path / "socket"
    words = ["apps:pid", "--uds", str(path), "--workers", "1"]
    with Command(*words) as command:
        command.where()
        inode = path.stat().st_ino
        with successor_of(command) as pid:
            assert command.wait() == 0
            assert path.stat().st_ino == inode
            assert ask(path) in children(pid)
            stop(pid)
            assert not path.exists()


def test_a_new_process_that_cannot_start_leaves_the_old_one_serving(tmp_path):
    module = tmp_path / "changing.py"
    text = "from apps import pid as app\n"
    module.write_text(text)
    pid_file = tmp_path / "pid"
    words = ["--app-dir", str(tmp_path), "--port", "0", "--pid-file", str(pid_file)]
    env = {"PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"}
    with Command("changing:app", *words, "--workers", "2", env=env) as command:
        port = command.port()
        before = pids(command)
        module.write_text("raise ValueError('not today')\n")
        with successor_of(command) as pid:
            line = command.err.line_with("the upgrade is over")
            assert f"process {pid} exited with code 1 before it served" in line
            assert "not today" in command.err.text
            assert pids(command) == before
            assert ask(port) in before
            assert pid_file.read_text() == f"{command.process.pid}\n"
        module.write_text(text)
        command.err.text = ""
        with successor_of(command) as pid:
            command.err.line_with("has taken over")
            assert command.wait() == 0
            assert ask(port) in children(pid)


def test_a_new_process_that_cannot_start_keeps_unix_sockets(tmp_path):
    module, path = tmp_path / "changing.py", tmp_path / "socket"
    module.write_text("from apps import pid as app\n")
    words = ["--app-dir", str(tmp_path), "--uds", str(path), "--workers", "1"]
    env = {"PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"}
    with Command("changing:app", *words, env=env) as command:
        command.where()
        module.write_text("raise ValueError('not today')\n")
        with successor_of(command):
            command.err.line_with("the upgrade is over")
            assert ask(path) in pids(command)
            assert command.stop() == 0
            assert not path.exists()


def test_settings_are_reread_and_unused_sockets_closed(tmp_path):
    file = tmp_path / "bolide.toml"
    text = 'bind = ["127.0.0.1:0", "unix:{0}"]\nworkers = {1}\n'
    file.write_text(text.format(tmp_path / "old", 1))
    with Command("apps:pid", "--config", str(file)) as command:
        port = int(command.where().partition(",")[0].rpartition(":")[2])
        file.write_text(text.format(tmp_path / "new", 2))
        with successor_of(command) as pid:
            assert command.wait() == 0
            assert len(children(pid)) == 2
            assert ask(port) in children(pid)
            assert ask(tmp_path / "new") in children(pid)
            with open("/proc/net/unix", encoding="utf-8") as found:
                assert f"{tmp_path}/old" not in found.read()


def test_a_signal_to_stop_ends_the_new_process_too(tmp_path):
    module = tmp_path / "hanging.py"
    module.write_text("from apps import pid as app\n")
    words = ["--app-dir", str(tmp_path), "--port", "0", "--workers", "1"]
    env = {"PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"}
    with Command("hanging:app", *words, env=env) as command:
        command.port()
        module.write_text("import time\nprint('hangs', flush=True)\ntime.sleep(600)\n")
        with successor_of(command) as pid:
            command.out.line_with("hangs")
            command.signal(signal.SIGUSR2)
            command.err.line_with(f"process {pid} is already taking over")
            assert command.stop() == 0
            wait_for(lambda: not is_alive(pid), "it is still alive")


def test_a_server_without_workers_rejects_an_upgrade_and_continues():
    """Without workers there is no supervisor that could start a successor."""
    with serve("pid") as command:
        port = command.port()
        command.signal(signal.SIGUSR2)
        command.err.line_with("not upgraded: a process without a supervisor cannot")
        assert talk(port, request()).startswith(b"HTTP/1.1 200 ")
        assert command.stop() == 0
