"""A ``bolide`` command in its own process, and a client for it."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from bolide.cli import main as cli

HERE = Path(__file__).parent
PATIENCE = int(os.environ.get("PATIENCE", "1"))
DEADLINE_S = 20 * PATIENCE
COUNTS_S = 3
"""How long a process may take to write its counts of a coverage build."""

# A shell starts background commands with SIGINT ignored, and our commands would inherit
# that.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Output:
    """What a process writes to one pipe, read as far as a test needs."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.pipe = pipe
        self.text = ""

    def line_with(self, wanted):
        """Wait for a line that contains ``wanted`` and return it."""
        end = time.monotonic() + DEADLINE_S
        while True:
            for line in self.text.splitlines(keepends=True):
                if wanted in line and line.endswith("\n"):
                    return line.rstrip("\n")
            left = max(0, end - time.monotonic())
            ready, _, _ = select.select([self.fd], [], [], left)
            data = os.read(self.fd, 65536) if ready else b""
            assert data, f"no line with {wanted!r}, but:\n{self.text}"
            self.text += data.decode()

    def count(self, wanted):
        """Return how many of the lines received so far contain ``wanted``."""
        while select.select([self.fd], [], [], 0)[0]:
            data = os.read(self.fd, 65536)
            if not data:
                break
            self.text += data.decode()
        return self.text.count(wanted)

    def rest(self):
        """Wait for the end and return everything."""
        self.text += self.pipe.read().decode()
        return self.text


class Command:
    """Runs ``python -m bolide ARGUMENTS`` with the applications of apps.py in a block.

    With ``code``, runs ``python -c code ARGUMENTS`` instead.
    """

    def __init__(
        self, *words, env=(), pass_fds=(), code=None, python=sys.executable, cwd=HERE
    ):
        how = ["-m", "bolide"] if code is None else ["-c", code]
        self.process = subprocess.Popen(
            [python, *how, *words],
            cwd=cwd,
            env={**os.environ, "PYTHONSAFEPATH": "1", **dict(env)},
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.out = Output(self.process.stdout)
        self.err = Output(self.process.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if "GCOV_ERROR_FILE" in os.environ and self.process.poll() is None:
            # A process that is killed does not write what it has run (coverage.sh).
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(COUNTS_S)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def where(self):
        """Wait until the server listens; return the URLs in its line."""
        line = self.err.line_with(" listening on ")
        return re.search(r" listening on (.*) \(pid ", line).group(1)

    def port(self):
        """Wait until the server listens and return its TCP port."""
        return int(self.where().rpartition(":")[2])

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Wait for the end and return the exit code."""
        return self.process.wait(DEADLINE_S)

    def stop(self):
        """Stop by SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()


def serve(target, *words, **kwargs):
    """Return a Command that serves ``target`` of apps.py on a free port."""
    return Command(f"apps:{target}", "--port", "0", *words, **kwargs)


def run(*words, **kwargs):
    """Run a command to its end; return exit code, standard output and error."""
    with Command(*words, **kwargs) as command:
        code = command.wait()
        return code, command.out.rest(), command.err.rest()


def run_here(capsys, *words):
    """The same as ``run``, but in this process, for commands that fail."""
    path = list(sys.path)
    try:
        cli.main(words)
    except SystemExit as ended:
        return ended.code, *capsys.readouterr()
    finally:
        sys.path[:] = path


def connect(place):
    """Return a connection to a TCP port of 127.0.0.1, or to a Unix socket's path."""
    if isinstance(place, int):
        return socket.create_connection(("127.0.0.1", place), DEADLINE_S)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(DEADLINE_S)
    sock.connect(str(place))
    return sock


def wait_until_open(place):
    """Wait until ``place`` accepts connections, for servers that do not report it."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return connect(place).close()
        except OSError:
            assert time.monotonic() < end, f"nothing listens at {place}"
            time.sleep(0.01)


def read_all(sock):
    """Return everything received until the connection ends or is reset."""
    data = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def read_until(sock, end):
    """Return what is received, up to ``end`` or a little more."""
    data = b""
    while end not in data:
        more = sock.recv(65536)
        assert more, f"the peer ended after {data!r}"
        data += more
    return data


def request(path="/", fields="Connection: close\r\n", method="GET"):
    """Return the bytes of a request without a body."""
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()


def talk(place, data):
    """Send ``data`` on a new connection; return everything received."""
    with connect(place) as sock:
        sock.sendall(data)
        return read_all(sock)


def open_websocket(port):
    """Return a connection to ``port`` with a WebSocket open on it."""
    fields = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    peer = connect(port)
    peer.sendall(request(fields=fields))
    assert peer.recv(65536).startswith(b"HTTP/1.1 101")
    return peer
