"""Fails one call after another of less common exchanges, as failing_calls.py does.

python failing_more.py KIND
"""

import asyncio
import os
import ssl
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import contextlib

import failing_applications as apps
import failing_calls
from failing_applications import body, start
from failing_clients import CLOSING, DEFLATE, Client, Client2, certificate
from serving import request
from socketing import BINARY, CLOSE, TEXT, close_payload, frame, handshake

LARGE = Path(tempfile.gettempdir()) / f"bolide-failing-{os.getpid()}"


async def sends_files(scope, receive, send):
    """Send parts of a file: from its position, a small one, and the rest."""
    await start(send)
    message = {"type": "http.response.zerocopysend", "more_body": True}
    with LARGE.open("rb") as file:
        await send(message | {"file": file, "count": 100_000})
        await send(message | {"file": file, "offset": 5, "count": 100})
        await send(message | {"file": file, "more_body": False})


async def sends_path(scope, receive, send):
    """Send a file by its path."""
    await start(send)
    await send({"type": "http.response.pathsend", "path": str(LARGE)})


async def start_many(send):
    """Send a head with many headers that are no plain list."""
    headers = ([b"x-%d" % i, b"v"] for i in range(90))
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def headers_of_a_generator(scope, receive, send):
    """Respond to an unusual request with unusual headers."""
    assert scope["method"] == "BREW"
    await start_many(send)
    await body(send, b"hello")


async def trailers_in_parts(scope, receive, send):
    """Send trailers in three messages."""
    await start(send, trailers=True)
    await body(send, b"x")
    message = {"type": "http.response.trailers", "more_trailers": True}
    await send(message | {"headers": [(b"x-a", b"1")]})
    await send(message | {"headers": [(b"x-b", b"2")]})
    await send(message | {"headers": [(b"x-c", b"3")], "more_trailers": False})


async def three_wait(scope, receive, send):
    """Wait for the client to disconnect in three Tasks."""
    await start(send)
    await body(send, b"x", more=True)
    tasks = [asyncio.create_task(receive()) for _ in range(3)]
    await asyncio.sleep(0)
    await body(send, b"y", more=True)
    await asyncio.gather(*tasks, return_exceptions=True)


async def sends_again(scope, receive, send):
    """Accept, then send one message several times, as a broadcast does."""
    await receive()
    await send({"type": "websocket.accept"})
    text = "hello " * 1000
    for _ in range(4):
        await send({"type": "websocket.send", "text": text})
    await send({"type": "websocket.close", "code": 3000})


async def reads_all(scope, receive, send):
    """Accept, then read until the client has disconnected."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


async def blocked(scope, receive, send):
    """Send more than a client takes at once."""
    await start(send)
    for _ in range(3):
        await body(send, bytes(1_000_000), more=True)
    await body(send, b"")


async def closes_at_once(scope, receive, send):
    """Reject a WebSocket."""
    await receive()
    await send({"type": "websocket.close"})


async def reads_late(scope, receive, send):
    """Accept, and read after more has come than may wait."""
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.sleep(0.01)
    while (await receive())["type"] == "websocket.receive":
        pass


async def startup_fails(scope, receive, send):
    """Report that the startup has failed."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "why"})


async def startup_raises(scope, receive, send):
    """Raise in the startup."""
    await receive()
    raise RuntimeError("on purpose")


async def hello_with_certificate(scope, receive, send):
    """Respond after reading the client's certificate."""
    assert scope["extensions"]["tls"]["client_cert_chain"]
    await start(send)
    await body(send, b"hello")


class Client2WebSocket(Client2):
    """Opens a WebSocket over HTTP/2, sends frames and ends its side."""

    def __init__(self, data):
        fields = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":scheme": "http",
            ":authority": "a",
            ":path": "/",
            "sec-websocket-version": "13",
        }
        super().__init__(([*fields.items()], data))


def deflated(data):
    """Return ``data`` as the payload of a compressed message."""
    z = zlib.compressobj(1, zlib.DEFLATED, -15)
    return (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]


UNUSUAL = "X-Unknown: 1\r\n" + CLOSING
PREFIXED = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Prefix: /api\r\n" + CLOSING
NOISE = deflated(os.urandom(1000) * 300)
ALONE = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
HALF = frame(BINARY, NOISE[:2000], fin=False, rsv=4)
REST = frame(0, NOISE[2000:])
MESSAGES = frame(TEXT, b"hello") + frame(CLOSE, close_payload(1000))
CLOSED_3000 = b"\x88\x02\x0b\xb8"
CLOSED_1000 = b"\x88\x02\x03\xe8"
PATHSEND = {"pathsend": True}
TRUSTING = {"forwarded_allow_ips": "127.0.0.1", "forwarded_fields": "for,prefix"}

KINDS = {
    "files": (sends_files, Client(request(fields=CLOSING)), PATHSEND, bytes(50_000)),
    "path-large": (
        sends_path,
        Client(request(fields=CLOSING)),
        PATHSEND,
        bytes(300_000),
    ),
    "unusual": (
        headers_of_a_generator,
        Client(request(method="BREW", fields=UNUSUAL)),
        {},
        b"x-89: v\r\n",
    ),
    "trailers-parts": (
        trailers_in_parts,
        Client(request(fields=CLOSING + "TE: trailers\r\n")),
        {},
        b"x-a: 1\r\nx-b: 2\r\nx-c: 3\r\n",
    ),
    "blocked": (blocked, Client(request(fields=CLOSING)), {}, b"\r\n0\r\n\r\n"),
    "raises-id": (
        apps.raises,
        Client(request(fields="X-Request-ID: abc-1\r\n" + CLOSING)),
        {},
        b" 500 ",
    ),
    "websocket-403": (closes_at_once, Client(handshake()), {}, b" 403 "),
    "websocket-queue": (
        reads_late,
        Client(handshake() + frame(TEXT, b"a") * 9 + MESSAGES),
        {"ws_max_queue": 2},
        CLOSED_1000,
    ),
    "start-failed": (startup_fails, Client(request()), {"lifespan": "on"}, None),
    "start-raises": (startup_raises, Client(request()), {"lifespan": "auto"}, None),
    "three-wait": (three_wait, Client(request(), leaves_after=b"y\r\n"), {}, b"y\r\n"),
    "prefixed": (
        apps.hello,
        Client(request(fields=PREFIXED)),
        TRUSTING,
        b"hello",
    ),
    "websocket-again": (
        sends_again,
        Client(handshake(fields=ALONE), leaves_after=CLOSED_3000),
        {},
        CLOSED_3000,
    ),
    "websocket-half": (
        reads_all,
        Client(handshake(fields=DEFLATE) + HALF, leaves_after=b"\r\n\r\n"),
        {},
        b" 101 ",
    ),
    "websocket-long": (
        reads_all,
        Client(handshake(fields=DEFLATE) + HALF + REST + MESSAGES),
        {},
        CLOSED_1000,
    ),
    "h2-websocket": (
        apps.websocket,
        Client2WebSocket(MESSAGES),
        {},
        CLOSED_1000,
    ),
    "wss": (apps.websocket, handshake() + MESSAGES, {}, b"hello"),
    "client-certificate": (
        hello_with_certificate,
        request(fields=CLOSING),
        {},
        b"hello",
    ),
}


def over_tls(sent):
    """Return a client with a certificate, and the settings of its server."""
    settings = certificate()
    client = Client(sent, alpn="http/1.1")
    client.tls.load_cert_chain(settings["ssl_certfile"], settings["ssl_keyfile"])
    client.alpn = None  # the server has its certificate
    settings |= {
        "ssl_ca_certs": settings["ssl_certfile"],
        "ssl_cert_reqs": ssl.CERT_OPTIONAL,
    }
    return client, settings


async def check(app, client, settings, expected):
    """Check that the client gets what is expected if no call fails."""
    serving = failing_calls.Serving(app, settings)
    assert await serving.begin()
    got = await client(serving.place)
    assert expected in got, got[-500:]
    await serving.end()


def main():
    """Sweep the kind named on the command line."""
    kind = sys.argv[1]
    app, client, settings, expected = KINDS[kind]
    if isinstance(client, bytes):
        client, more = over_tls(client)
        settings = settings | more
    failing_calls.KINDS[kind] = (app, client, settings)
    LARGE.write_bytes(bytes(300_000))
    try:
        if expected is not None:
            asyncio.run(check(app, client, settings, expected))
        failing_calls.main()
    finally:
        with contextlib.suppress(OSError):
            LARGE.unlink()


if __name__ == "__main__":
    main()
