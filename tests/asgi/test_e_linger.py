"""A response that comes before the request has ended is not lost (RFC 9112 9.6).

Covers src/server/ending.c.
"""

import shutil
import subprocess
import threading
import time

import pytest
from serving import DEADLINE_S, Serving, answer, read_all, request

MB = 1_000_000
BODY = b"too large"


async def refuse(scope, receive, send):
    """Respond at once, without reading the body."""
    await answer(send, BODY, status=413)


def head(n, fields=""):
    """Return the head of an upload of ``n`` bytes."""
    return request(fields=f"Content-Length: {n}\r\n{fields}", method="POST")


def upload(sock, n, pause_s=0.0):
    """Send a whole request, then read; return what is received."""
    sock.sendall(head(n))
    piece = bytes(n // 20)
    for _ in range(20):
        sock.sendall(piece)
        time.sleep(pause_s)
    return read_all(sock)


@pytest.mark.parametrize("megabytes", [5, 20])
def test_a_client_that_sends_all_first_gets_the_response(megabytes):
    with Serving(refuse) as serving, serving.connect() as sock:
        data = upload(sock, megabytes * MB)
    assert data.startswith(b"HTTP/1.1 413 ")
    assert data.endswith(BODY)


def test_a_slow_upload_extends_the_timeout():
    """The upload takes several times --timeout-linger."""
    with Serving(refuse, timeout_linger=0.3) as serving, serving.connect() as sock:
        data = upload(sock, 2 * MB, pause_s=0.1)
    assert data.startswith(b"HTTP/1.1 413 ")


def test_an_endless_upload_is_closed_in_time():
    """Whatever is received, the connection ends --timeout-body after the response."""
    began = time.monotonic()
    with (
        Serving(refuse, timeout_linger=0.5, timeout_body=1.5) as serving,
        serving.connect() as sock,
        pytest.raises(OSError),
    ):
        sock.sendall(head(1 << 40))
        while time.monotonic() - began < DEADLINE_S:
            sock.sendall(b"x")
            time.sleep(0.02)
    lasted = time.monotonic() - began
    assert 1.4 < lasted < DEADLINE_S / 2


def test_a_client_that_sends_nothing_more_is_closed_soon():
    with Serving(refuse, timeout_linger=0.3) as serving, serving.connect() as sock:
        began = time.monotonic()
        sock.sendall(head(MB))
        assert read_all(sock).endswith(BODY)
        with pytest.raises(OSError):
            while time.monotonic() - began < DEADLINE_S:
                time.sleep(0.7)
                sock.sendall(b"x")
    assert time.monotonic() - began < DEADLINE_S / 2


def test_a_stop_does_not_wait_for_an_endless_upload():
    with Serving(refuse, timeout_linger=0.5) as serving, serving.connect() as sock:
        sock.sendall(head(1 << 40))
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")
        is_over = threading.Event()

        def send_on():
            try:
                while not is_over.is_set():
                    sock.sendall(b"x")
                    time.sleep(0.02)
            except OSError:
                pass

        sending = threading.Thread(target=send_on)
        sending.start()
        began = time.monotonic()
        serving.stop()
        lasted = time.monotonic() - began
        is_over.set()
        sending.join()
    assert lasted < 5


NODE = """
const body = new Uint8Array(Number(process.argv[2]));
for (let i = 0; i < 5; i++) {
    const response = await fetch(process.argv[1], { method: "POST", body });
    console.log(response.status, await response.text());
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
@pytest.mark.parametrize("megabytes", [5, 20])
def test_fetch_of_node_sees_the_response(megabytes):
    with Serving(refuse) as serving:
        url = f"http://127.0.0.1:{serving.place[1]}/"
        done = subprocess.run(
            ["node", "--input-type=module", "-e", NODE, url, str(megabytes * MB)],
            capture_output=True,
            timeout=2 * DEADLINE_S,
            check=False,
        )
    assert done.stdout.decode().split("\n")[:-1] == ["413 too large"] * 5, done.stderr
