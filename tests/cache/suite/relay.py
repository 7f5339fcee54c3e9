"""An application that passes requests on to the origin server of http-cache-tests.

ORIGIN_PORT is where that one listens.
"""

import asyncio
import http.client
import os
from concurrent.futures import ThreadPoolExecutor

PORT = int(os.environ.get("ORIGIN_PORT", "0"))
HOPS = ("connection", "keep-alive", "transfer-encoding")
"""Not passed on, except Connection of a response, which the cache is to heed."""

http.client._MAXHEADERS = 1000
pool = ThreadPoolExecutor(64)


def ask(method, target, fields, body):
    """Ask the origin; return status, fields and body of its response."""
    origin = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    origin.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in fields:
        if name.decode() not in HOPS:
            origin.putheader(name.decode(), value.decode("latin-1"))
    origin.endheaders(body or None)
    response = origin.getresponse()
    found = [(n.lower(), v) for n, v in response.getheaders()]
    fields = [(n.encode(), v.encode("latin-1")) for n, v in found if n not in HOPS[1:]]
    return response.status, fields, response.read()


async def app(scope, receive, send):
    """Pass a request on, and its response back."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    target = scope["raw_path"].decode()
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode()
    status, fields, body = await asyncio.get_running_loop().run_in_executor(
        pool, ask, scope["method"], target, scope["headers"], body
    )
    start = {"type": "http.response.start", "status": status, "headers": fields}
    await send(start)
    await send({"type": "http.response.body", "body": body})
