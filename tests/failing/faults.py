"""Applications that misbehave, a shim that makes system calls fail, and leak checks."""

import asyncio
import gc
import json
import mmap
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LEAKED = []
ROOM_BYTES = 256 << 20


async def answer(send, body, status=200):
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def figures(scope, receive, send):
    """Respond with what this process has: tasks, descriptors, objects."""
    gc.collect()
    found = {
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "pid": os.getpid(),
    }
    await answer(send, json.dumps(found).encode())


async def raising(scope, receive, send):
    """Raise before the response."""
    raise RuntimeError("asked for")


async def raising_late(scope, receive, send):
    """Raise in the middle of the response."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
    raise RuntimeError("asked for")


async def returning(scope, receive, send):
    """Return without a response."""


async def returning_late(scope, receive, send):
    """Return in the middle of the response."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})


async def cancelling(scope, receive, send):
    """Cancel its own task."""
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def cancelling_late(scope, receive, send):
    """Cancel its own task in the middle of the response."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def leaking(scope, receive, send):
    """Leave a task behind that never ends."""
    LEAKED.append(asyncio.create_task(asyncio.sleep(3600)))
    await answer(send, b"leaked")


async def blocking(scope, receive, send):
    """Block the event loop for as long as the query says."""
    time.sleep(float(scope["query_string"] or b"10"))
    await answer(send, b"blocked")


async def exhausting(scope, receive, send):
    """Allocate all memory that the process may have."""
    held = []
    while True:
        held.append(bytearray(1 << 20))


async def slow(scope, receive, send):
    """Respond after a while."""
    await asyncio.sleep(float(scope["query_string"] or b"0.2"))
    await answer(send, b"slow")


WRONG = {
    "/raising": raising, "/raising-late": raising_late,
    "/returning": returning, "/returning-late": returning_late,
    "/cancelling": cancelling, "/cancelling-late": cancelling_late,
}  # fmt: skip
PATHS = {
    **WRONG, "/leaking": leaking, "/blocking": blocking, "/slow": slow,
    "/exhausting": exhausting, "/figures": figures,
}  # fmt: skip


async def app(scope, receive, send):
    """Run the function named by the path."""
    if scope["type"] == "lifespan":
        if os.environ.get("LITTLE_MEMORY"):
            size = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
            limit = size + ROOM_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    called = PATHS.get(scope["path"])
    if called is None:
        return await answer(send, b"%d" % os.getpid())
    return await called(scope, receive, send)


class Shim:
    """Makes calls of a process fail; ``env`` is the environment to start it with."""

    def __init__(self, folder):
        self.library = folder / "shim.so"
        words = ["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", self.library]
        subprocess.run([*words, HERE / "shim.c", "-ldl"], check=True)
        path = folder / "failing"
        path.write_bytes(bytes(40))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 40)
        self.env = {"LD_PRELOAD": str(self.library), "FAILING": str(path)}

    @staticmethod
    def is_possible():
        """Return whether there is a compiler, and no sanitizer that prevents it."""
        return shutil.which("cc") is not None and "LD_PRELOAD" not in os.environ

    def fail(self, accepts=0, sends=0, errno=0):
        """Make the next ``n`` calls fail."""
        step = struct.unpack_from("q", self.map, 24)[0]
        struct.pack_into("5q", self.map, 0, accepts, sends, errno, step, 0)

    def failed(self):
        """Return how many calls have failed since ``fail``."""
        return struct.unpack_from("q", self.map, 32)[0]

    def step(self, seconds):
        """Shift the wall clock by so many seconds."""
        struct.pack_into("q", self.map, 24, seconds)


def cpu_seconds(pid):
    """Return the CPU time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


PYTHON = sys.executable
