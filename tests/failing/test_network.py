"""A network that loses, delays and reorders packets, and clocks with an offset."""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import faults
import lossy
import pytest
from command import DEADLINE_S, Command, request, talk

import bolide

SERVER, CLIENT = "10.77.0.2", "10.77.0.1"
PORT = 8000
BODY = os.urandom(1 << 19)
LOSS, DELAY_S = 0.03, 0.01

needs_links = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/net/tun").exists() or not shutil.which("ip"),
    reason="no network can be made here",
)


async def echo(scope, receive, send):
    """Send the body back."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await faults.answer(send, body)


def run_server():
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config = bolide.Config(
        echo, host=SERVER, port=PORT, lifespan="off", access_log=False
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(bolide.Server(config).serve())


def connect():
    """Return a connection to the server; it may not listen yet."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return socket.create_connection((SERVER, PORT), DEADLINE_S)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)


def run_client():
    """Send bodies and compare the responses; return 0 if all are correct."""
    wanted = hashlib.sha256(BODY).digest()
    for _ in range(3):
        with connect() as sock:
            for _ in range(2):
                head = (
                    f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
                )
                sock.sendall(head.encode() + BODY)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += sock.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ")
                while len(body) < len(BODY):
                    body += sock.recv(65536)
                assert hashlib.sha256(body).digest() == wanted
    return 0


@needs_links
def test_bodies_are_complete_over_a_lossy_reordering_network():
    server, one, go_server = lossy.in_namespace(SERVER, CLIENT, run_server)
    client, two, go_client = lossy.in_namespace(CLIENT, SERVER, run_client)
    status = []

    def is_over():
        pid, code = os.waitpid(client, os.WNOHANG)
        if pid:
            status.append(os.waitstatus_to_exitcode(code))
        assert time.monotonic() < end, "it takes too long"
        return bool(pid)

    end = time.monotonic() + 6 * DEADLINE_S
    relay = lossy.Relay([one, two], LOSS, DELAY_S)
    try:
        for sock in (go_server, go_client):
            sock.send(b"x")
        relay.run(is_over)
    finally:
        for pid in (server, client):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(server, 0)
        for fd in (one, two):
            os.close(fd)
        go_server.close()
        go_client.close()
    assert status == [0]
    assert relay.lost > 0


def can_have_a_clock():
    """Return whether a process can have its own monotonic clock."""
    words = ["unshare", "--time", "--monotonic", "1000", "--fork", "true"]
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_have_a_clock(), reason="there are no time namespaces here")
@pytest.mark.parametrize("offset", [10**9, 4_294_967])
def test_deadlines_work_for_any_offset_of_the_monotonic_clock(tmp_path, offset):
    """Deadlines are differences; one of the offsets is 2^32 ms from now."""
    if offset == 4_294_967:
        offset -= int(time.monotonic()) + 3
    script = tmp_path / "python"
    script.write_text(
        f"#!/bin/sh\nexec unshare --time --monotonic {offset} --boottime {offset}"
        f' --fork --kill-child {faults.PYTHON} "$@"\n'
    )
    script.chmod(0o755)
    words = ("--app-dir", str(faults.HERE), "--port", "0", "--timeout-head", "1")
    with Command("faults:app", *words, python=str(script)) as command:
        port = command.port()
        assert talk(port, request("/slow?0.3")).endswith(b"slow")
        began = time.monotonic()
        for _ in range(3):
            assert talk(port, b"GET / HTTP/1.1\r\nHost").startswith(b"HTTP/1.1 408 ")
        assert 2.5 < time.monotonic() - began < DEADLINE_S
        assert talk(port, request()).startswith(b"HTTP/1.1 200 ")
