"""Workers that are stopped or killed under load: other workers lose no request."""

import contextlib
import os
import signal
import socket
import threading
import time

import faults
from command import DEADLINE_S, Command, connect, read_until, request, talk
from crews import pids, wait_for

CLIENTS = 12


class Client(threading.Thread):
    """Sends requests on one kept connection repeatedly, and counts them."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.sock = connect(port)
        self.pid = self.ask()
        self.served, self.failed = 0, None
        self.over = threading.Event()
        self.start()

    def ask(self):
        """Send one request; return which worker has responded."""
        self.sock.sendall(request(fields=""))
        data = read_until(self.sock, b"\r\n\r\n")
        while data.endswith(b"\r\n\r\n"):
            data += self.sock.recv(100)
        return int(data.rpartition(b"\r\n\r\n")[2])

    def run(self):
        """Send requests until it is stopped."""
        try:
            while not self.over.wait(0.002):
                assert self.ask() == self.pid
                self.served += 1
        except (OSError, AssertionError) as failure:
            self.failed = failure


def serve(*words):
    """Return a command with two workers."""
    place = ("--app-dir", str(faults.HERE), "--port", "0", "--no-access-log")
    return Command("faults:app", *place, "--workers", "2", *words)


@contextlib.contextmanager
def clients(port):
    """Run clients until both workers have some; stop them at the end of the block."""
    found = []

    def both_have_some():
        found.append(Client(port))
        return len(found) >= CLIENTS and len({x.pid for x in found}) == 2

    wait_for(both_have_some, "one worker gets everything")
    try:
        yield found
    finally:
        for client in found:
            client.over.set()
        for client in found:
            client.join(DEADLINE_S)
            client.sock.close()


def go_on(some):
    """Wait until each of these clients has received another response."""
    before = {x: x.served for x in some}
    wait_for(
        lambda: all(x.failed or x.served > before[x] + 5 for x in some),
        "clients wait",
    )


def test_killing_a_worker_under_load_loses_no_request_of_others():
    with serve() as command:
        port = command.port()
        with clients(port) as found:
            dead = set()
            for _ in range(3):
                killed = next(iter(pids(command)))
                dead.add(killed)
                os.kill(killed, signal.SIGKILL)
                others = [x for x in found if x.pid not in dead]
                go_on(others)
                assert [x.failed for x in others] == [None] * len(others)
                wait_for(
                    lambda gone=killed: len(pids(command) - {gone}) == 2,
                    "no new worker",
                )
                found += [Client(port) for _ in range(4)]
        assert command.stop() == 0


def test_a_stopped_worker_delays_no_request_of_others():
    """Requests for the stopped worker are served when it continues."""
    with serve() as command:
        port = command.port()
        with clients(port) as found:
            stopped = found[0].pid
            os.kill(stopped, signal.SIGSTOP)
            others = [x for x in found if x.pid != stopped]
            go_on(others)
            late = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
            for peer in late:
                peer.settimeout(DEADLINE_S)
                peer.sendall(request())
            go_on(others)
            assert [x.failed for x in others] == [None] * len(others)
            os.kill(stopped, signal.SIGCONT)
            for peer in late:
                data = read_until(peer, b"\r\n\r\n")
                assert data.startswith(b"HTTP/1.1 200 ")
                peer.close()
            go_on(found)
            assert [x.failed for x in found] == [None] * len(found)
        assert command.stop() == 0


def test_new_connections_are_served_while_a_worker_is_stopped():
    """The kernel hands them to the workers that accept, and a stopped one does not."""
    with serve() as command:
        port = command.port()
        stopped = int(talk(port, request()).rpartition(b"\r\n\r\n")[2])
        os.kill(stopped, signal.SIGSTOP)
        try:
            began = time.monotonic()
            for _ in range(20):
                pid = int(talk(port, request()).rpartition(b"\r\n\r\n")[2])
                assert pid != stopped
            assert time.monotonic() - began < DEADLINE_S
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert command.stop() == 0
