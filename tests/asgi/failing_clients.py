"""Clients for failing_calls.py: of HTTP/1.1, of HTTP/2, and of either over TLS.

A client is called with the address of a server, and returns what it has received, or
``b""`` if the connection has ended before. Its ``alpn`` is None without TLS. Its
``begin`` is called before calls fail, with the same argument, unless it is None.
"""

import asyncio
import gzip
import os
import ssl
import subprocess
import tempfile
from pathlib import Path

import h2.config
import h2.connection
import h2.events
from serving import request
from socketing import BINARY, CLOSE, PING, TEXT, close_payload, frame

CLOSING = "Connection: close\r\n"
ECHOED = b"e" * 5000
CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    b"Expect: 100-continue\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n"
)
MESSAGES = (
    frame(TEXT, b"hello")
    + frame(BINARY, b"x" * 3000)
    + frame(PING, b"p")
    + frame(TEXT, b"y", fin=False)
    + frame(0, b"z")
    + frame(CLOSE, close_payload(1000))
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
PROTOCOLS = "Sec-WebSocket-Protocol: a, b\r\n"
GZIPPED = gzip.compress(ECHOED)
PROXIED = "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-Proto: https\r\n"


def client_tls(alpn):
    """Return a context that verifies no certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


class Client:
    """Sends ``sent`` and reads until the connection ends."""

    begin = None

    def __init__(self, sent, leaves_after=None, alpn=None):
        self.sent = sent
        self.leaves_after = leaves_after
        self.alpn = alpn
        self.tls = client_tls(alpn) if alpn else None

    async def __call__(self, place):
        """Return what was received."""
        got = b""
        try:
            reader, writer = await asyncio.open_connection(*place, ssl=self.tls)
        except OSError:
            return got
        try:
            writer.write(self.sent)
            while piece := await reader.read(1 << 20):
                got += piece
                if self.leaves_after is not None and self.leaves_after in got:
                    break
        except OSError:
            pass
        finally:
            writer.transport.abort()
        return got


class Client2:
    """Sends requests over HTTP/2 and reads until all streams have ended."""

    begin = None

    def __init__(self, *requests, alpn=None):
        self.requests = requests
        self.alpn = alpn
        self.tls = client_tls(alpn) if alpn else None

    async def __call__(self, place):
        """Return all bodies that were received, joined."""
        try:
            reader, writer = await asyncio.open_connection(*place, ssl=self.tls)
        except OSError:
            return b""
        try:
            return await self.talk(reader, writer)
        except OSError:
            return b""
        finally:
            writer.transport.abort()

    async def talk(self, reader, writer):
        """Return the bodies."""
        config = h2.config.H2Configuration(header_encoding="latin-1")
        talk = h2.connection.H2Connection(config)
        talk.initiate_connection()
        left = set()
        for number, (fields, data) in enumerate(self.requests):
            left.add(2 * number + 1)
            talk.send_headers(2 * number + 1, fields, end_stream=data is None)
            if data is not None:
                talk.send_data(2 * number + 1, data, end_stream=True)
        got = b""
        while left:
            writer.write(talk.data_to_send())
            piece = await reader.read(1 << 20)
            if not piece:
                break
            for event in talk.receive_data(piece):
                if isinstance(event, h2.events.DataReceived):
                    got += event.data
                    talk.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                    left.discard(event.stream_id)
                elif isinstance(event, h2.events.ConnectionTerminated):
                    left.clear()
        writer.write(talk.data_to_send())
        return got


def fields2(method="GET", path="/a?b=c", **more):
    """Return the fields of an HTTP/2 request."""
    pseudo = {":method": method, ":scheme": "http", ":authority": "a", ":path": path}
    return [*pseudo.items(), *more.items()]


def certificate():
    """Return the settings of a server with a new certificate."""
    folder = Path(tempfile.mkdtemp())
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
    command += f"-subj /CN=localhost -days 1 -keyout {folder}/key -out {folder}/cert"
    subprocess.run(command.split(), check=True, capture_output=True)
    return {"ssl_certfile": f"{folder}/cert", "ssl_keyfile": f"{folder}/key"}


def get(alpn=None, fields="", **kwargs):
    """Return a client that sends one request."""
    whole = request(target="/a%20b?c=d", fields=CLOSING + fields, **kwargs)
    return Client(whole, alpn=alpn)


LIBRARY = Path(os.__file__).parent
LARGE = "_pydecimal.py"
assert (LIBRARY / LARGE).stat().st_size > 1 << 16, "it is not read at once"
FILES = {"static": [f"/={LIBRARY}"], "static_missing": "404"}
PARTS = CLOSING + "Range: bytes=0-9, 20-29\r\n"
ALL_FILES = Client(
    request("/this.py")
    + request("/json")
    + request("/none/at/all")
    + request(f"/{LARGE}", "Range: bytes=1-70000\r\n")
    + request(f"/{LARGE}", PARTS)
)
THRICE = Client(request("/a") * 2 + request("/a", CLOSING))
