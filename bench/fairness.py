"""How long polite clients wait while other connections send a lot at once.

``python fairness.py KIND PORT COUNT`` is the attackers' process: COUNT connections that
keep the server busy in the way KIND, until the process is terminated.
"""

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
import zlib

ATTACKERS = 8
POLITE = 4
PAUSE_S = 0.004
SECONDS = 4.0
WARM_S = 1.0
BLOCK = 1 << 17
"""What an attacker sends at once: as much as the server reads at once."""

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcy4uLg==\r\n"
    b"Sec-WebSocket-Version: 13\r\n%s\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
INFLATED = 15 << 20
MASK = b"\0\0\0\0"


def connect(port):
    """Return a connection."""
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def pour(sock, block):
    """Send the block repeatedly, and discard what is received."""

    def discard():
        with contextlib.suppress(OSError):
            while sock.recv(1 << 20):
                pass

    threading.Thread(target=discard, daemon=True).start()
    sock.settimeout(None)
    while True:
        sock.sendall(block)


def pipelined(port):
    """Pipeline requests."""
    pour(connect(port), GET * (BLOCK // len(GET)))


def upgraded(port, fields=b""):
    """Return a connection with an open WebSocket."""
    sock = connect(port)
    sock.sendall(UPGRADE % fields)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(4096)
    return sock, answer


def messages(port):
    """Send one-byte messages, which are echoed."""
    frame = b"\x82\x81" + MASK + b"x"
    pour(upgraded(port)[0], frame * (BLOCK // len(frame)))


def inflating(port):
    """Send messages that inflate to a thousand times their length."""
    sock, answer = upgraded(port, DEFLATE)
    if b"permessage-deflate" not in answer.lower():
        return
    deflater = zlib.compressobj(9, zlib.DEFLATED, -12)
    data = deflater.compress(bytes(INFLATED)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    data = data[:-4]
    head = b"\xc2\xfe" + len(data).to_bytes(2, "big") + MASK
    if len(data) > 65535:
        head = b"\xc2\xff" + len(data).to_bytes(8, "big") + MASK
    pour(sock, head + data)


def h2_frame(kind, flags, stream, payload=b""):
    """Return the bytes of an HTTP/2 frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def drops(port):
    """Send bodies in DATA frames of one byte each."""
    sock = connect(port)
    sock.settimeout(None)
    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0))
    got, stream = bytearray(), 1
    while True:
        head = h2_frame(1, 4, stream, b"\x83\x86\x84\x41\x01a")
        body = h2_frame(0, 0, stream, b"x") * 60_000
        sock.sendall(head + body + h2_frame(0, 1, stream))
        ended = False
        while not ended:
            piece = sock.recv(1 << 16)
            if not piece:
                return
            got += piece
            while len(got) >= 9 and len(got) >= 9 + int.from_bytes(got[:3], "big"):
                ended |= got[3] in (0, 1) and got[4] & 1 == 1
                del got[: 9 + int.from_bytes(got[:3], "big")]
        stream += 2


KINDS = {
    "pipelined GET": pipelined,
    "1-byte messages": messages,
    "inflating messages": inflating,
    "1-byte DATA frames": drops,
}


def attack(kind, port, count):
    """Run ``count`` attackers until the process is terminated, at a lower priority."""
    os.nice(19)
    for _ in range(count):
        threading.Thread(target=KINDS[kind], args=(port,), daemon=True).start()
    threading.Event().wait()


def is_whole(answer):
    """Return whether a response is complete; it must be a 200."""
    head, end, body = answer.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
    return bool(end) and (length is None or len(body) >= int(length.group(1)))


def measure(port, seconds, polite=POLITE):
    """Return the sorted response times of polite clients, in milliseconds."""
    socks = {s.fileno(): s for s in (connect(port) for _ in range(polite))}
    due = dict.fromkeys(socks, 0.0)
    got, sent, taken = dict.fromkeys(socks, b""), {}, []
    poller = select.poll()
    for fd in socks:
        poller.register(fd, select.POLLIN)
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        for fd in [fd for fd, at in due.items() if at <= now]:
            del due[fd]
            sent[fd] = time.perf_counter()
            socks[fd].sendall(GET)
        wait = min([*due.values(), end]) - time.perf_counter()
        for fd, _ in poller.poll(max(0.0, wait) * 1000):
            got[fd] += socks[fd].recv(65536)
            if not is_whole(got[fd]):
                continue
            got[fd] = b""
            now = time.perf_counter()
            taken.append((now - sent.pop(fd)) * 1000)
            due[fd] = now + PAUSE_S
    waiting = time.perf_counter()
    taken += [(waiting - at) * 1000 for at in sent.values()]
    for sock in socks.values():
        sock.close()
    return sorted(taken)


@contextlib.contextmanager
def attacked(kind, port, count=ATTACKERS):
    """Attack the server from a separate process."""
    command = [sys.executable, __file__, kind, str(port), str(count)]
    with subprocess.Popen(command) as process:
        try:
            time.sleep(WARM_S)
            yield
        finally:
            process.kill()


def percentile(taken, part):
    """Return a percentile of sorted figures."""
    return taken[min(len(taken) - 1, int(len(taken) * part))] if taken else float("nan")


def cell(port, kind):
    """Return the median and the 99th percentile during an attack, as text."""
    with attacked(kind, port) if kind else contextlib.nullcontext():
        taken = measure(port, SECONDS)
    return f"{percentile(taken, 0.5):.2f} / {percentile(taken, 0.99):.2f}"


def lines(names, ports):
    """Return the table of how long polite clients wait."""
    import servers
    from works import Work

    work = Work("fairness", "greedy", streams=0)
    os.sched_setaffinity(0, {int(servers.CORE_OF_CLIENT)})
    found = [
        f"{POLITE} polite clients beside {ATTACKERS} busy connections,"
        " p50 / p99 in milliseconds",
        "",
        "| server | " + " | ".join(["alone", *KINDS]) + " |",
        "|---|" + "---:|" * (1 + len(KINDS)),
    ]
    for name in names:
        cells = []
        for kind in [None, *KINDS]:
            if kind == "1-byte DATA frames" and name not in servers.H2:
                cells.append("")
                continue
            try:
                port = next(ports)
                with servers.running(name, work, port):
                    cells.append(cell(port, kind))
            except (OSError, RuntimeError, AssertionError) as problem:
                cells.append(str(problem) or "fails")
        found.append(f"| {name} | " + " | ".join(cells) + " |")
    return found


if __name__ == "__main__":
    attack(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
