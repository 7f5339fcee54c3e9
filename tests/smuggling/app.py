"""The application behind the proxies: it responds with the request, and records it.

Each request that it receives is a line of JSON in the file named by SMUGGLING_LOG.
"""

import json
import os

LOG = open(os.environ["SMUGGLING_LOG"], "a", buffering=1)  # noqa: SIM115


async def app(scope, receive, send):
    """Read the whole body and respond with what was received."""
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close"})
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            note(scope, body, False)
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    seen = note(scope, body, True)
    fields = [(b"content-length", b"%d" % len(seen))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": seen})


def note(scope, body, whole):
    """Record a request; return the line."""
    target = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    line = json.dumps({
        "method": scope["method"],
        "target": target.decode("latin-1"),
        "fronts": [v.decode() for n, v in scope["headers"] if n == b"x-front"],
        "body": body.decode("latin-1"),
        "whole": whole,
    })  # fmt: skip
    LOG.write(line + "\n")
    return line.encode()
