"""A server that expects headers of the PROXY protocol, and such headers."""

import asyncio
import struct

from serving import Serving

from bolide.config.binds import parse_bind
from bolide.serving.sockets import Listeners

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


class Proxied(Serving):
    """Serves ``app`` on a socket that expects a PROXY header of ``version``."""

    def __init__(self, app, version, **settings):
        super().__init__(app, **settings)
        self.version = version

    async def serve(self):
        """Serve, and signal when the server has started."""
        self.loop = asyncio.get_running_loop()
        flags = parse_bind(f"127.0.0.1:0,proxy-protocol={self.version}").flags()
        listeners = Listeners()
        listeners.append(self.listener)
        listeners.flags = [flags]
        task = asyncio.create_task(self.server.serve(listeners))
        while not self.server.started and not task.done():
            await asyncio.sleep(0.001)
        self.ready.set()
        await task


def line(client="203.0.113.7", port=4711, kind="TCP4", to="10.0.0.1"):
    """Return a header of version 1."""
    return f"PROXY {kind} {client} {to} {port} 80\r\n".encode()


def block(addresses, command=0x21, family=0x11):
    """Return a header of version 2; ``addresses`` is all of its payload."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses)) + addresses


V4 = bytes([203, 0, 113, 7, 10, 0, 0, 1]) + struct.pack("!HH", 4711, 80)
V6 = bytes.fromhex("20010db8" + "00" * 11 + "07" + "00" * 15 + "01")
V6 += struct.pack("!HH", 4711, 80)


def checked(addresses):
    """Return a header of version 2 with a checksum of the whole header."""
    header = block(addresses + b"\x03\x00\x04" + b"\x00" * 4)
    return header[:-4] + struct.pack("!I", crc32c(header))


def crc32c(data):
    """Return the CRC-32C of ``data``."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
