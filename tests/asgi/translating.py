"""A gateway that speaks HTTP/1.1 with a test and HTTP/2 with the server, so that tests
of what an application receives and sends run over both.

It is thin: each client gets its own HTTP/2 connection and each request a stream, and a
connection that is lost on one side is closed on the other. It buffers no more than the
windows.
"""

import select
import socket
import threading
from http import HTTPStatus

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

ENOUGH = 1 << 16
HOP = {"connection", "transfer-encoding", "keep-alive", "upgrade", "te", "host"}


def reason(status):
    """Return the reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def is_told_to_close(fields):
    """Return whether a request asks to close its connection."""
    options = ",".join(v for n, v in fields if n == "connection").lower().split(",")
    return "close" in [x.strip() for x in options]


class Body:
    """Decodes a request's body from the bytes of a client."""

    def __init__(self, fields):
        names = dict(fields)
        self.chunked = "chunked" in names.get("transfer-encoding", "")
        self.left = int(names.get("content-length") or 0)
        self.ended = not self.chunked and self.left == 0

    def take(self, data):
        """Return the decoded bytes at the front of ``data``, and what is left of it."""
        if not self.chunked:
            piece, rest = data[: self.left], data[self.left :]
            self.left -= len(piece)
            self.ended = self.left == 0
            return piece, rest
        body = b""
        while not self.ended:
            size, line, rest = data.partition(b"\r\n")
            n = int(size.partition(b";")[0] or b"0", 16) if line else 0
            if not line or len(rest) < n + 2:
                break
            if n == 0 and b"\r\n" in rest:
                self.ended = True
                rest = (
                    rest.partition(b"\r\n\r\n")[2] if rest[:2] != b"\r\n" else rest[2:]
                )
                return body, rest
            body, data = body + rest[:n], rest[n + 2 :]
        return body, data


class Exchange:
    """One request and its response."""

    def __init__(self, stream, method, fields, is_tunnel):
        self.stream = stream
        self.is_head = method == "HEAD"
        self.closes = is_told_to_close(fields)
        self.is_tunnel = is_tunnel
        self.body = Body([] if is_tunnel else fields)
        self.up = b""  # of the body, not sent yet
        self.has_sent_end = self.body.ended and not is_tunnel
        self.is_chunked = False
        self.has_begun = False
        self.ended = False


class Client:
    """One connection of a test, handled by a thread."""

    def __init__(self, client, place, family):
        self.client = client
        self.server = socket.socket(family)
        self.server.connect(place)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
            )
        )
        self.h2.initiate_connection()
        self.data = b""  # from the client
        self.down = b""  # to the client
        self.owed = 0  # bytes of `down` that are still to be acknowledged
        self.exchange = None
        self.ends = False

    def run(self):
        """Run until either side closes."""
        try:
            while not self.ends or self.down:
                self.step()
        except (OSError, EOFError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.server.close()
            self.client.close()

    def step(self):
        """Wait for one event and handle it."""
        self.send_up()
        out = self.h2.data_to_send()
        if out:
            self.server.sendall(out)
        reads = [self.server]
        if len(self.data) < ENOUGH:
            reads.append(self.client)
        ready, writable, _ = select.select(
            reads, [self.client] if self.down else [], [], 10
        )
        if writable:
            self.send_down()
        if self.server in ready:
            data = self.server.recv(65536)
            if not data:
                self.ends = True
                return
            for event in self.h2.receive_data(data):
                self.take(event)
        if self.client in ready:
            data = self.client.recv(65536)
            if not data:
                raise EOFError
            self.data += data

    def send_down(self):
        """Send to the client, and open the windows by as much."""
        self.client.setblocking(False)
        n = self.client.send(self.down)
        self.client.setblocking(True)
        self.down = self.down[n:]
        x = self.exchange
        if not self.down and self.owed and x is not None:
            self.h2.acknowledge_received_data(self.owed, x.stream)
            self.owed = 0

    def send_up(self):
        """Forward what the client has sent, as far as it is complete."""
        if self.exchange is None and b"\r\n\r\n" in self.data:
            self.begin()
        x = self.exchange
        if x is None or x.ended:
            return
        if x.is_tunnel:
            if not x.has_begun:
                return
            x.up, self.data = x.up + self.data, b""
        elif not x.body.ended:
            piece, self.data = x.body.take(self.data)
            x.up += piece
        while x.up:
            room = self.h2.local_flow_control_window(x.stream)
            room = min(room, self.h2.max_outbound_frame_size)
            if room == 0:
                return
            self.h2.send_data(x.stream, x.up[:room])
            x.up = x.up[room:]
        if x.body.ended and not x.is_tunnel and not x.has_sent_end:
            x.has_sent_end = True
            self.h2.end_stream(x.stream)

    def begin(self):
        """Start the request that the client has sent."""
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.partition(":") for line in lines]
        fields = [(n.lower(), v.strip(" \t")) for n, _, v in pairs]
        names = dict(fields)
        is_tunnel = names.get("upgrade") == "websocket" and method == "GET"
        stream = self.h2.get_next_available_stream_id()
        pseudo = [
            (":method", "CONNECT" if is_tunnel else method),
            (":scheme", "http"),
            (":authority", names.get("host", "a")),
            (":path", target),
        ]
        if is_tunnel:
            pseudo.append((":protocol", "websocket"))
            fields = [f for f in fields if f[0] != "sec-websocket-key"]
        sent = [f for f in fields if f[0] not in HOP]
        if "trailers" in names.get("te", ""):
            sent.append(("te", "trailers"))
        x = self.exchange = Exchange(stream, method, fields, is_tunnel)
        encoded = [
            (n.encode("latin-1"), v.encode("latin-1")) for n, v in [*pseudo, *sent]
        ]
        self.h2.send_headers(stream, encoded, end_stream=x.has_sent_end)

    def take(self, event):
        """Convert an HTTP/2 event into bytes of HTTP/1.1."""
        x = self.exchange
        if x is None or getattr(event, "stream_id", None) != x.stream:
            return
        match event:
            case h2.events.InformationalResponseReceived():
                self.down += self.head(event.headers) + b"\r\n"
            case h2.events.ResponseReceived():
                self.begin_answer(x, event)
            case h2.events.DataReceived():
                self.add_data(x, event)
            case h2.events.TrailersReceived():
                self.add_trailers(x, event)
            case h2.events.StreamEnded():
                self.end_answer(x)
            case h2.events.StreamReset():
                if event.error_code != h2.errors.ErrorCodes.NO_ERROR or not x.ended:
                    self.ends = True

    def head(self, fields):
        """Return a status line and fields."""
        status = int(dict(fields)[b":status"])
        lines = [b"%s: %s\r\n" % f for f in fields if f[0][:1] != b":"]
        first = f"HTTP/1.1 {status} {reason(status)}\r\n".encode()
        return first + b"".join(lines)

    def begin_answer(self, x, event):
        """Convert the head of a response, with the framing of HTTP/1.1."""
        status = int(dict(event.headers)[b":status"])
        names = [n for n, _ in event.headers]
        x.has_begun = True
        if x.is_tunnel and status == 200:
            head = self.head([(b":status", b"101"), *event.headers[1:]])
            self.down += head + b"connection: Upgrade\r\nupgrade: websocket\r\n"
            if b"sec-websocket-accept" not in names:
                self.down += b"sec-websocket-accept: " + ACCEPT + b"\r\n"
        else:
            self.down += self.head(event.headers)
            x.is_tunnel = False
            x.is_chunked = not (
                x.is_head
                or status in (204, 304)
                or b"content-length" in names
                or event.stream_ended
            )
            if x.is_chunked:
                self.down += b"transfer-encoding: chunked\r\n"
            if x.closes:
                self.down += b"connection: close\r\n"
        self.down += b"\r\n"

    def add_data(self, x, event):
        """Handle data of a response."""
        data = event.data
        if x.is_chunked and data:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.down += data
        self.owed += event.flow_controlled_length

    def add_trailers(self, x, event):
        """Handle the trailers of a response."""
        if x.is_chunked:
            lines = b"".join(b"%s: %s\r\n" % f for f in event.headers)
            self.down += b"0\r\n" + lines + b"\r\n"
            x.is_chunked = False

    def end_answer(self, x):
        """Complete a response, so that the next request may start."""
        if x.is_chunked:
            self.down += b"0\r\n\r\n"
        x.ended = True
        if x.closes or x.is_tunnel or not x.has_sent_end:
            self.ends = True
        self.exchange, self.owed = None, 0


ACCEPT = b"gJ5NB0OZT8Sw5w7h9xvGgMVYH8I="


class Gateway:
    """Listens for tests in front of the server at ``place``; its block stops it."""

    client_type = Client

    def __init__(self, place, family):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place, self.family = place, family
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Accept."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            task = self.client_type(client, self.place, self.family)
            threading.Thread(target=task.run, daemon=True).start()

    def connect(self, deadline_s):
        """Return a connection to it."""
        return socket.create_connection(self.listener.getsockname(), deadline_s)

    def close(self):
        """Stop listening."""
        self.listener.close()
