"""Sends one request over HTTP/3, by aioquic: most builds of curl cannot."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

HOST = "127.0.0.1"


def certificate(folder: Path) -> None:
    """Make cert.pem and key.pem for this machine, valid for two days."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subject = ["-subj", "/CN=try", "-addext"]
    subject += [f"subjectAltName=IP:{HOST},DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    command = ["openssl", *words.split(), *subject, *files]
    subprocess.run(command, check=True, capture_output=True)


class Client(QuicConnectionProtocol):
    """A connection that receives one response."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.h3 = H3Connection(self._quic)
        self.status = b""
        self.body = b""
        self.response: asyncio.Future[bytes] = self._loop.create_future()

    def quic_event_received(self, event: QuicEvent) -> None:
        """Pass what was received to HTTP/3."""
        if isinstance(event, ConnectionTerminated) and not self.response.done():
            self.response.set_exception(OSError(event.reason_phrase))
        for found in self.h3.handle_event(event):
            self.take(found)

    def take(self, event: H3Event) -> None:
        """Keep a part of the response."""
        if isinstance(event, HeadersReceived):
            self.status = self.status or dict(event.headers)[b":status"]
        if isinstance(event, DataReceived):
            self.body += event.data
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended:
            self.response.set_result(self.body)

    async def get(self, path: str) -> bytes:
        """Send a request for ``path``; return the body of its response."""
        head = {":method": "GET", ":scheme": "https", ":authority": HOST, ":path": path}
        number = self._quic.get_next_available_stream_id()
        fields = [(name.encode(), value.encode()) for name, value in head.items()]
        self.h3.send_headers(number, fields, end_stream=True)
        self.transmit()
        body = await self.response
        assert self.status == b"200", self.status
        return body


def get(port: int, path: str, certificate: Path, deadline_s: float) -> bytes:
    """Return the body of the response of a server on this machine; raise OSError or
    TimeoutError if there is none.
    """
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
    conf.server_name = "localhost"
    conf.load_verify_locations(str(certificate))

    async def ask() -> bytes:
        async with (
            asyncio.timeout(deadline_s),
            connect(HOST, port, configuration=conf, create_protocol=Client) as client,
        ):
            return await client.get(path)  # type: ignore[attr-defined]

    return asyncio.run(ask())
