"""An allocation fails: a response or an end, no crash, and a prompt stop."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from serving import DEADLINE_S, request
from socketing import CLOSE, TEXT, close_payload, frame, handshake

TIMES = 240
HELLO = request(body=b"hello", method="POST", fields="Connection: close\r\n")
CASES = {
    "GET": request(fields="Connection: close\r\n"),
    "POST": HELLO,
    "WebSocket": handshake()
    + frame(TEXT, b"hello")
    + frame(CLOSE, close_payload(1000)),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_failing_allocation_breaks_at_most_one_exchange(kind):
    pytest.importorskip("_testcapi")
    if sys.version_info < (3, 12):
        pytest.skip("older versions of CPython abort without memory")
    script = Path(__file__).with_name("nomemory.py")
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            served = 0
            for _ in range(TIMES):
                with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock:
                    sock.sendall(CASES[kind])
                    got = b""
                    try:
                        while piece := sock.recv(65536):
                            got += piece
                    except ConnectionResetError:
                        pass
                    served += b"hello" in got or b"." in got
                assert process.poll() is None
            assert served > TIMES / 4
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S / 2) in (0, -signal.SIGTERM)
        finally:
            process.kill()
