"""A WebSocket client that sends exactly what a test asks for, valid or not."""

import base64
import contextlib
import hashlib
import struct
import threading

from serving import DEADLINE_S, Serving, read_until

KEY = base64.b64encode(b"sixteen bytes...").decode()
ACCEPT = base64.b64encode(
    hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
).decode()
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
CONNECT = {"type": "websocket.connect"}


def handshake(target="/", fields="", **changes):
    """Return the bytes of a handshake.

    ``fields`` are complete lines that come first; ``changes`` replace the values of the
    usual fields, with ``_`` for ``-``. None leaves a field out.
    """
    usual = {
        "Host": "a",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Key": KEY,
        "Sec_WebSocket_Version": "13",
        **changes,
    }
    lines = "".join(
        f"{name.replace('_', '-')}: {value}\r\n"
        for name, value in usual.items()
        if value is not None
    )
    return f"GET {target} HTTP/1.1\r\n{fields}{lines}\r\n".encode("latin-1")


def frame(opcode, payload=b"", fin=True, masked=True, rsv=0):
    """Return the bytes of a frame."""
    first = (fin << 7) | (rsv << 4) | opcode
    size = len(payload)
    bit = masked << 7
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not masked:
        return head + payload
    mask = b"\x01\x02\x03\x04"
    return head + mask + bytes(x ^ mask[i & 3] for i, x in enumerate(payload))


def close_payload(code, reason=""):
    """Return the payload of a close frame."""
    return struct.pack("!H", code) + reason.encode()


class Peer:
    """A client after its handshake: the head of the response, and frames."""

    def __init__(self, sock, sent):
        self.sock = sock
        sock.sendall(sent)
        head, _, self.rest = read_until(sock, b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = [
            (name.lower(), value.strip())
            for name, _, value in (line.partition(":") for line in lines)
        ]

    def field(self, name):
        """Return the values of a field, joined, or None."""
        return ", ".join(v for n, v in self.fields if n == name) or None

    def send(self, opcode, payload=b"", **kwargs):
        """Send a frame."""
        self.sock.sendall(frame(opcode, payload, **kwargs))

    def take(self, n):
        """Return exactly ``n`` bytes."""
        while len(self.rest) < n:
            piece = self.sock.recv(1 << 20)
            assert piece, f"the connection ended after {self.rest!r}"
            self.rest += piece
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def frame(self):
        """Return the opcode and the payload of the next frame, a whole message."""
        first, size = self.take(2)
        assert first & 0x80 and not size & 0x80, "one unmasked frame per message"
        if size == 126:
            (size,) = struct.unpack("!H", self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.take(8))
        self.rsv = first >> 4 & 7
        return first & 15, self.take(size)

    def close_code(self):
        """Read a close frame; return its code and reason."""
        opcode, payload = self.frame()
        assert opcode == CLOSE, (opcode, payload)
        if not payload:
            return 1005, ""
        return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    def ends(self):
        """Return whether the server closes the connection without sending more."""
        try:
            return self.rest == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


@contextlib.contextmanager
def talking(app, sent=None, **settings):
    """Serve ``app``; yield a Peer that has sent its handshake, and the Serving."""
    with Serving(app, **settings) as serving, serving.connect() as sock:
        yield Peer(sock, sent or handshake()), serving


async def accept(receive, send, **message):
    """Receive websocket.connect and accept."""
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **message})


class Received:
    """The messages that an application received, for a test that waits for them."""

    def __init__(self):
        self.messages = []
        self.failures = []
        self.ended = threading.Event()

    def wait(self):
        """Wait until the application has ended; return the messages."""
        assert self.ended.wait(DEADLINE_S)
        return self.messages


def listening(heard, until="websocket.disconnect", then=None):
    """Return an application that accepts, receives all messages, then runs ``then``."""

    async def app(scope, receive, send):
        try:
            await accept(receive, send)
            while True:
                message = await receive()
                heard.messages.append(message)
                if message["type"] == until:
                    break
            if then is not None:
                await then(receive, send)
        except Exception as failure:
            heard.failures.append(failure)
        finally:
            heard.ended.set()

    return app


def doing(heard, act, **message):
    """Return an application that accepts and runs ``act(receive, send)``."""

    async def app(scope, receive, send):
        await accept(receive, send, **message)
        try:
            await act(receive, send)
        except Exception as failure:
            heard.failures.append(failure)
        finally:
            heard.ended.set()

    return app


async def echo(scope, receive, send):
    """Send each message back."""
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def raised_by(*messages, connecting=False):
    """Return what send() raises for the last of ``messages``."""
    heard = Received()

    async def act(receive, send):
        for message in messages:
            await send(message)

    async def app(scope, receive, send):
        assert await receive() == CONNECT
        if not connecting:
            await send({"type": "websocket.accept"})
        try:
            await act(receive, send)
        except Exception as failure:
            heard.failures.append(failure)
        heard.ended.set()

    with talking(app):
        heard.wait()
    (failure,) = heard.failures
    return failure
