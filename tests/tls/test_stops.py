"""A stop loses no request whose handshake is in progress.

Covers src/server/handshake.c.
"""

import os
import signal
import socket
import ssl
import threading
import time

import pytest
from command import DEADLINE_S, connect, read_all, request, serve
from talking import client_context

CLIENTS = 5


class Client(threading.Thread):
    """Completes the handshake on an accepted connection, and sends a request."""

    def __init__(self, sock, context):
        super().__init__(daemon=True)
        self.sock, self.context = sock, context
        self.answer = b""
        self.start()

    def run(self):
        with self.context.wrap_socket(self.sock, server_hostname="localhost") as tls:
            tls.sendall(request())
            self.answer = read_all(tls)


def has_unread(port):
    """Return whether the server has unread bytes at ``port``."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return [x for x in rows if x[1].endswith(f":{port:04X}") and x[4][9:] != "0" * 8]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_handshakes_started_before_the_signal_end_in_a_response(
    authority, localhost, loop, version, number
):
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion[version]
    words = ["--loop", loop, *localhost.words(), "--timeout-graceful-shutdown", "10"]
    with serve("hello", *words) as command:
        port = command.port()
        os.kill(command.process.pid, signal.SIGSTOP)
        clients = [Client(connect(port), context) for _ in range(CLIENTS)]
        end = time.monotonic() + DEADLINE_S
        while len(has_unread(port)) < CLIENTS:
            assert time.monotonic() < end
            time.sleep(0.01)
        command.signal(number)
        os.kill(command.process.pid, signal.SIGCONT)
        for client in clients:
            client.join(DEADLINE_S)
        assert command.wait() == 0
    got = [x.answer.partition(b"\r\n")[0] for x in clients]
    assert got == [b"HTTP/1.1 200 OK"] * CLIENTS


def test_a_stalled_handshake_delays_a_stop_only_briefly(localhost):
    """For --timeout-linger, not for --timeout-handshake."""
    words = [*localhost.words(), "--timeout-linger", "0.2"]
    words += ["--timeout-handshake", "3600", "--timeout-graceful-shutdown", "3600"]
    with serve("hello", *words) as command:
        with socket.create_connection(("127.0.0.1", command.port())) as peer:
            peer.sendall(b"\x16\x03\x01")
            time.sleep(0.1)
            assert command.stop() == 0
        assert "handshake" not in command.err.rest()
