"""Applications that fail in any way leak nothing, and others are served."""

import json
import socket
import time

import faults
import pytest
from command import (
    DEADLINE_S,
    PATIENCE,
    Command,
    connect,
    read_all,
    read_until,
    request,
    talk,
)  # fmt: skip
from crews import wait_for

TIMES = 200
GROWTH_BYTES = 8 << 20


def serve(*words, **kwargs):
    """Return a command that serves the applications of faults.py."""
    place = ("--app-dir", str(faults.HERE), "--port", "0", "--no-access-log")
    return Command("faults:app", *place, *words, **kwargs)


def figures(port):
    """Return the current figures of the server."""
    return json.loads(talk(port, request("/figures")).partition(b"\r\n\r\n")[2])


def is_back(port, before):
    """Return whether the server has returned to its earlier figures."""
    return figures(port) == before


@pytest.mark.parametrize("path", faults.WRONG)
def test_an_application_that_misbehaves_leaks_nothing(path):
    with serve() as command:
        port = command.port()

        def use():
            peers = [connect(port) for _ in range(TIMES // 2)]
            for peer in peers:
                peer.sendall(request(path, fields=""))
            for peer in peers:
                told = read_until(peer, b"\r\n\r\n")
                wanted = b"200" if path.endswith("-late") else b"500"
                assert told.startswith(b"HTTP/1.1 " + wanted), told
                peer.close()
            for _ in range(TIMES // 2):
                data = talk(port, request(path))
                assert not data.endswith(b"0\r\n\r\n"), "it looks complete"

        use()
        before, memory = figures(port), faults.resident(command.process.pid)
        use()
        wait_for(lambda: is_back(port, before), "something is left")
        assert faults.resident(command.process.pid) - memory < GROWTH_BYTES
        assert command.stop() == 0


def test_tasks_left_by_an_application_do_not_delay_a_stop():
    with serve() as command:
        port = command.port()
        before = figures(port)
        for _ in range(20):
            assert talk(port, request("/leaking")).endswith(b"leaked")
        assert figures(port)["tasks"] == before["tasks"] + 20
        assert command.stop() == 0


def test_a_loop_that_is_blocked_for_ten_seconds_loses_no_request():
    """Requests that arrive meanwhile are served, although timers have expired."""
    with serve() as command:
        port = command.port()
        kept = [connect(port) for _ in range(8)]
        for peer in kept:
            peer.settimeout(30 * PATIENCE)
            peer.sendall(request(fields=""))
            read_until(peer, b"\r\n\r\n")
        before = figures(port)
        blocker = connect(port)
        blocker.settimeout(30 * PATIENCE)
        blocker.sendall(request("/blocking?10"))
        time.sleep(0.2)
        for peer in kept:
            peer.sendall(request(fields=""))
        late = connect(port)
        late.settimeout(30 * PATIENCE)
        late.sendall(request())
        assert read_all(blocker).endswith(b"blocked")
        for peer in kept:
            assert read_until(peer, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert read_all(late).startswith(b"HTTP/1.1 200 ")
        wait_for(lambda: is_back(port, before), "something is left")
        for peer in kept:
            peer.close()
        assert command.stop() == 0


def test_an_application_that_exhausts_memory_does_not_affect_others():
    with serve(env={"LITTLE_MEMORY": "1"}) as command:
        port = command.port()
        with connect(port) as other:
            other.sendall(request(fields=""))
            read_until(other, b"\r\n\r\n")
            before = figures(port)
            for times in range(4):
                data = talk(port, request("/exhausting"))
                assert data.startswith(b"HTTP/1.1 500 ")
                if times == 0:  # freed memory is kept
                    memory = faults.resident(command.process.pid)
            other.sendall(request(fields=""))
            assert read_until(other, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
            command.err.line_with("MemoryError")
            wait_for(lambda: is_back(port, before), "something is left")
        grown = faults.resident(command.process.pid) - memory
        assert grown < GROWTH_BYTES
        assert command.stop() == 0


def test_clients_that_reset_leak_nothing():
    with serve() as command:
        port = command.port()
        talk(port, request())
        before = figures(port)
        for n in range(300):
            peer = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
            peer.sendall(request("/slow", fields="")[: n % 60 + 1])
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
        wait_for(lambda: is_back(port, before), "something is left")
        assert command.stop() == 0
