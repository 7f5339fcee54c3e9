"""The application of the leak tests, which also reports its process's resources."""

import asyncio
import ctypes
import gc
import json
import os
import sys

FILE_BYTES = 4096
FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd")
FIELDS += ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Mallinfo2(ctypes.Structure):
    """What mallinfo2(3) returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


LIBC = ctypes.CDLL(None)
LIBC.mallinfo2.restype = Mallinfo2


def make_file():
    """Return the path of a file that is deleted when this process ends."""
    fd = os.memfd_create("file")
    os.write(fd, b"f" * FILE_BYTES)
    return f"/proc/self/fd/{fd}"


PATH = make_file()


def rss_bytes():
    """Return the resident set size."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept():
    """Return the resources of this process after a garbage collection."""
    while gc.collect():
        pass
    malloc = LIBC.mallinfo2()
    return {
        "RSS": rss_bytes(),
        "malloc": malloc.uordblks + malloc.hblkhd,
        "blocks": sys.getallocatedblocks(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
    }


async def answer(send, body=b"hello"):
    """Send a complete response."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def count(receive, send):
    """Respond with the number of bytes of the body."""
    n, more = 0, True
    while more:
        message = await receive()
        n += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"%d bytes" % n)


async def stream(receive, send, parts=3):
    """Send some parts, with turns of the loop between them; endlessly if it is 0."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    part = {"type": "http.response.body", "body": b"x" * 1000, "more_body": True}
    sent = 0
    while parts == 0 or sent < parts:
        await send(part)
        await asyncio.sleep(0)
        sent += 1
    await send({"type": "http.response.body", "body": b""})


async def endless(receive, send):
    """Stream until the client disconnects."""
    await stream(receive, send, 0)


async def idle(receive, send):
    """Send a head and wait for an event that never happens."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    part = {"type": "http.response.body", "body": b"x", "more_body": True}
    await send(part)
    await asyncio.Event().wait()


async def wait(receive, send):
    """Wait for the client to disconnect."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def file(receive, send):
    """Respond with a file."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.pathsend", "path": PATH})


async def state(receive, send):
    """Respond with the resources of the process."""
    await answer(send, json.dumps(kept()).encode())


async def echo(scope, receive, send):
    """Send the messages of a WebSocket back."""
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            del message["type"]
            await send({"type": "websocket.send", **message})
        else:
            return


PLACES = {
    "/count": count,
    "/stream": stream,
    "/endless": endless,
    "/idle": idle,
    "/wait": wait,
    "/file": file,
    "/state": state,
}


async def app(scope, receive, send):
    """Run the function named by the path."""
    if scope["type"] == "websocket":
        await echo(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] in PLACES:
        await PLACES[scope["path"]](receive, send)
    elif scope["type"] == "http":
        await answer(send)
