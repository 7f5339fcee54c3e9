"""Compares what a request costs now and at another commit, in instructions.

usage: guard.py [--base COMMIT | --wheel FILE] [--most PERCENT] [WORK ...]

The server runs under callgrind, which counts the instructions that its process executes
in user space: the count hardly depends on the machine or its load.  Each work is played
on both builds.  The exit status is 1 if one costs more than ``--most`` per cent more.
Time in the kernel is not counted; the number of system calls of a request is printed.
Valgrind has no vDSO: reading a clock is counted as a system call there, and is none
outside. A "hello" has two clock reads, one recv() and one send().

COMMIT is built below build/guard.  The default is the last tag, or the commit before
this one if there is no tag.  The working tree's build is build/release-*, as
`make build` leaves it.  With --wheel that build is the base, and the wheel is compared
with it.
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from measure import wait_for_port

HERE = Path(__file__).parent
ROOT = HERE.parent
GUARD = ROOT / "build" / "guard"
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
DEADLINE_S = 120

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: guard\r\nAccept: */*\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
CLOSING = b"Connection: close\r\n"
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
H2_GET = b"\x82\x86\x84\x41\x09localhost"
WS_OPEN = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
WS_FRAME = b"\x82\xfe\x00\x80\0\0\0\0" + b"m" * 128


class Http1:
    """Connections that each send ``request`` and read its response, round by round."""

    def __init__(self, app, request, rounds, connections=16, each=1, options=()):
        self.app = app
        self.options = options
        self.request = request * each
        self.rounds = rounds
        self.connections = connections
        self.each = each

    def open(self, port):
        """Return the connections."""
        peers = []
        for _ in range(self.connections):
            peer = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers.append((peer, peer.makefile("rb")))
        return peers

    def read(self, file):
        """Read one response."""
        length = 0
        status = file.readline()
        assert b" 200 " in status, status
        while (line := file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert len(file.read(length)) == length

    def play(self, peers):
        """Play all rounds; return the number of requests."""
        for _ in range(self.rounds):
            for peer, _ in peers:
                peer.sendall(self.request)
            for _, file in peers:
                for _ in range(self.each):
                    self.read(file)
        return self.rounds * self.connections * self.each


class Http2(Http1):
    """The same over HTTP/2 without TLS, with ``each`` streams at once."""

    def open(self, port):
        """Return the connections, after the prefaces."""
        peers = super().open(port)
        self.next_id = dict.fromkeys(map(id, (file for _, file in peers)), 1)
        for peer, _ in peers:
            peer.sendall(H2_PREFACE)
        return peers

    def play(self, peers):
        """Play all rounds; return the number of requests."""
        for _ in range(self.rounds):
            for peer, file in peers:
                first = self.next_id[id(file)]
                self.next_id[id(file)] += 2 * self.each
                head = len(H2_GET).to_bytes(3, "big") + b"\x01\x05"
                peer.sendall(
                    b"".join(
                        head + (first + 2 * n).to_bytes(4, "big") + H2_GET
                        for n in range(self.each)
                    )
                )
            for _, file in peers:
                ended = 0
                while ended < self.each:
                    head = file.read(9)
                    file.read(int.from_bytes(head[:3], "big"))
                    ended += head[3] == 0 and head[4] & 1
        return self.rounds * self.connections * self.each


class WebSocket(Http1):
    """Messages of 128 bytes that are echoed."""

    def open(self, port):
        """Return the connections, after the handshakes."""
        peers = super().open(port)
        for peer, file in peers:
            peer.sendall(WS_OPEN)
            assert b" 101 " in file.readline()
            while file.readline() != b"\r\n":
                pass
        return peers

    def read(self, file):
        """Read one message."""
        assert file.read(4) == b"\x82\x7e\x00\x80"
        file.read(128)


WORKS = {
    "hello": Http1("hello", GET % b"/", 60),
    "pipeline": Http1("hello", GET % b"/", 8, each=16),
    "post64k": Http1("echo", POST % 65536 + b"p" * 65536, 10),
    "fastapi": Http1("fast", GET % b"/items/7", 20),
    "cached": Http1("cached", GET % b"/", 60, options=("--cache", "4194304")),
    "h2c": Http2("hello", b"", 10, connections=8, each=16),
    "ws128": WebSocket("ws", WS_FRAME, 60),
}
"""The most important kinds of work."""


def run(*command, **kwargs):
    """Run a command; return its output."""
    done = subprocess.run(command, capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def default_base():
    """Return the last tag, or the commit before this one."""
    found = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], capture_output=True, text=True
    )
    return found.stdout.strip() or "HEAD~1"


def build(commit):
    """Build ``commit`` as a release; return the folder for PYTHONPATH."""
    sha = run("git", "rev-parse", "--short=12", commit, cwd=ROOT).strip()
    tree, stage = GUARD / sha, GUARD / sha / "build" / TAG / "stage"
    if not stage.exists():
        shutil.rmtree(tree, ignore_errors=True)
        run("git", "worktree", "prune", cwd=ROOT)
        run("git", "worktree", "add", "--force", "--detach", tree, sha, cwd=ROOT)
        options = ["--buildtype=release", "-Db_lto=true"]
        run("tools/build.sh", f"build/{TAG}", *options, cwd=tree)
    return stage


def unpack(wheel):
    """Unpack a wheel below build/guard; return the folder for PYTHONPATH."""
    stage = GUARD / "wheel"
    shutil.rmtree(stage, ignore_errors=True)
    with zipfile.ZipFile(wheel) as content:
        content.extractall(stage)
    return stage


@contextlib.contextmanager
def serving(stage, work):
    """Serve for ``work`` under callgrind; yield the process and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "bolide", f"apps:{work.app}", "--port", str(port), "--no-access-log"]
    words += ["--log-level", "warning", "--timeout-keep-alive", "300", *work.options]
    env = {**os.environ, "PYTHONPATH": str(stage), "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += ["--collect-systime=yes", sys.executable, *words]
        with open(Path(folder) / "log", "w") as log:
            process = subprocess.Popen(
                command, env=env, cwd=HERE, stdout=log, stderr=log
            )
        try:
            wait_for_port(port, process, DEADLINE_S)
            yield process, port, out
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


def measure(stage, work):
    """Return the instructions and system calls of one request."""
    with serving(stage, work) as (process, port, out):
        peers = work.open(port)
        work.play(peers)
        run("callgrind_control", "--zero", str(process.pid))
        n = work.play(peers)
        run("callgrind_control", "--dump=guard", str(process.pid))
        for peer, file in peers:
            file.close()
            peer.close()
        (dump,) = out.parent.glob("out.*")
        totals = re.search(r"^(?:totals|summary): (.*)$", dump.read_text(), re.M)
        counts = [int(x) for x in totals.group(1).split()]
    return counts[0] / n, counts[1] / n if len(counts) > 1 else 0.0


def main():
    """Compare; exit with 1 if a work costs too much more."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--most", type=float, default=2.0)
    parser.add_argument("works", nargs="*", metavar="WORK", choices=[[], *WORKS])
    args = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("bench-guard: there is no valgrind (apt-get install valgrind)")
    own = ROOT / "build" / f"release-{TAG}" / "stage"
    if args.wheel:
        stages = own, unpack(args.wheel)
        print("instructions of a request, as built here and in the wheel")
    else:
        base = args.base or default_base()
        stages = build(base), own
        print(f"instructions of a request, at {base} and now")
    failed = 0
    for name in args.works or WORKS:
        (was, was_calls), (now, calls) = (measure(x, WORKS[name]) for x in stages)
        percent = 100 * (now / was - 1)
        bad = percent > args.most
        failed += bad
        calls = f"system calls {was_calls:.2f} -> {calls:.2f}"
        print(f"{name:9} {was:10.0f} -> {now:10.0f} {percent:+6.2f} %  {calls}", end="")
        print("  TOO MUCH" if bad else "", flush=True)
    print(f"bench-guard: {len(args.works or WORKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
