"""The application for the wire cases: it echoes, or misbehaves as the path requests.

It records what it receives per connection, by the client's address, which is unique.
"""

import asyncio
import re
from collections import defaultdict

EVENTS = defaultdict(list)
"""Client address -> descriptions of what the application received, in order."""

BAD_FIELDS = {
    "crlf-value": (b"x-a", b"v\r\nX-Evil: 1"),
    "lf-value": (b"x-a", b"v\nX-Evil: 1"),
    "cr-value": (b"x-a", b"v\rX-Evil: 1"),
    "nul-value": (b"x-a", b"v\x00w"),
    "crlf-name": (b"x-a: v\r\nX-Evil", b"1"),
    "space-name": (b"x y", b"1"),
}


def shown(data):
    """Return bytes as quoted text, or their length if they are many."""
    if len(data) > 80:
        return f"({len(data)} bytes)"
    return '"' + data.decode("latin-1").encode("unicode_escape").decode() + '"'


def fields_of(scope):
    """Return the fields worth showing: names that begin with x, host, cookie."""
    return [
        f"{n.decode('latin-1')}={shown(v)}"
        for n, v in scope["headers"]
        if re.match(rb"x-t|x-empty|host|cookie", n) and len(v) > 0 and v != b"a"
    ]


async def read_body(receive, events):
    """Return the body, or None if the peer disconnected."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            events.append("disconnect")
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def misbehave(path, start, send_body):
    """Respond as the path says; return whether it says anything."""
    if path == "/stream":
        await start(200)
        await send_body(b"a", True)
        await send_body(b"b")
    elif path == "/te":
        await start(200, [(b"transfer-encoding", b"chunked")])
        await send_body(b"a", True)
        await send_body(b"b")
    elif path.startswith("/status/"):
        await start(int(path[8:]), [(b"content-length", b"4")])
        await send_body(b"body")
    elif path in ("/cl-short", "/cl-long"):
        length = b"10" if path == "/cl-short" else b"3"
        await start(200, [(b"content-length", length)])
        await send_body(b"hello")
    elif path.startswith("/inject/"):
        await start(200, [(b"content-length", b"2"), BAD_FIELDS[path[8:]]])
        await send_body(b"ok")
    elif path == "/raise":
        raise RuntimeError("asked for")
    elif path == "/raise-mid":
        await start(200)
        await send_body(b"part", True)
        raise RuntimeError("asked for")
    elif path == "/close":
        await start(200, [(b"connection", b"close"), (b"content-length", b"2")])
        await send_body(b"ok")
    elif path != "/noresp":
        return False
    return True


async def app(scope, receive, send):
    """Serve one request; respond with its body unless the path says otherwise."""
    assert scope["type"] == "http"
    events = EVENTS[scope["client"][0]]
    target = scope["raw_path"] + (b"?" if scope["query_string"] else b"")
    target += scope["query_string"]
    words = ["call", scope["method"], shown(target)[1:-1], *fields_of(scope)]
    events.append(" ".join(words))

    async def start(status, headers=()):
        message = {"type": "http.response.start", "status": status}
        await send({**message, "headers": list(headers)})

    async def send_body(body, more=False):
        message = {"type": "http.response.body", "body": body}
        await send({**message, "more_body": more})

    path = scope["path"]
    if path == "/unread":
        await start(200, [(b"content-length", b"6")])
        return await send_body(b"unread")
    body = await read_body(receive, events)
    if body is None:
        return None
    if body:
        events.append(f"body {shown(body)}")
    if await misbehave(path, start, send_body):
        return None
    if path == "/sleep":
        await asyncio.sleep(0.05)
        body = b"slept"
    if path == "/len":
        body = b"hello"
    length = b"%d" % len(body)
    await start(200, [(b"content-length", length)])
    await send_body(body)
