"""An HTTP/2 client for tests, with frames from the h2 package."""

import socket
import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings
from serving import DEADLINE_S

GOAWAY = 7
GET = (
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
)


def head(path="/", method="GET", fields=(), scheme="http"):
    """Return the fields of a request."""
    pseudo = {":method": method, ":scheme": scheme, ":authority": "a", ":path": path}
    return [*pseudo.items(), *fields]


class Stream:
    """What was received on one stream."""

    STATUS = ":status"

    def __init__(self):
        self.interim = []
        self.fields = None
        self.body = b""
        self.trailers = None
        self.ended = False
        self.reset = None

    @property
    def status(self):
        """Return the status of the response as an int."""
        return int(dict(self.fields)[self.STATUS])

    def field(self, name):
        """Return the values of a field, joined, or None."""
        values = [v for n, v in self.fields if n == name]
        return ", ".join(values) if values else None


class Talk:
    """An HTTP/2 connection, by prior knowledge or over TLS; its block closes it.

    ``acks``: whether received data is acknowledged, so that the server may send more.
    """

    def __init__(self, sock, acks=True, settings=None):
        config = h2.config.H2Configuration(
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        self.sock = sock
        self.sock.settimeout(DEADLINE_S)
        self.h2 = h2.connection.H2Connection(config)
        if settings:
            self.h2.local_settings.update(settings)
        self.acks = acks
        self.data = b""
        self.streams = {}
        self.goaway = None
        self.pongs = []
        self.closed = False
        self.order = []
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        """Send the pending output."""
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def ask(self, fields=GET, ends=True):
        """Send the head of a request; return the number of its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.streams[stream] = Stream()
        self.h2.send_headers(stream, list(fields), end_stream=ends)
        self.flush()
        return stream

    def get(self, path="/", fields=()):
        """Send a GET; return its Stream when it is complete."""
        return self.finish(self.ask(head(path, fields=fields)))

    def post(self, body, path="/", fields=()):
        """Send a POST; return its Stream when it is complete."""
        stream = self.ask(head(path, "POST", fields), ends=False)
        self.send(stream, body, ends=True)
        return self.finish(stream)

    def send(self, stream, data, ends=False):
        """Send data as far as the windows allow."""
        while True:
            room = self.h2.local_flow_control_window(stream)
            room = min(room, self.h2.max_outbound_frame_size)
            piece, data = data[:room], data[room:]
            if piece or not data:
                self.h2.send_data(stream, piece, end_stream=ends and not data)
                self.flush()
            if not data:
                return
            if room == 0:
                self.read()

    def read(self):
        """Read once and process what was received."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(self.without_goaway(data)):
            self.take(event)
        self.flush()

    def without_goaway(self, data):
        """Return the complete frames without GOAWAY, after which h2 would stop."""
        self.data += data
        frames = b""
        while len(self.data) >= 9:
            end = 9 + int.from_bytes(self.data[:3], "big")
            if len(self.data) < end:
                break
            if self.data[3] == GOAWAY:
                self.goaway = int.from_bytes(self.data[13:17], "big")
            else:
                frames += self.data[:end]
            self.data = self.data[end:]
        return frames

    def until(self, is_done):
        """Read until ``is_done()`` or the end of the connection."""
        while not self.closed and not is_done():
            self.read()

    def finish(self, stream):
        """Wait until the stream has ended; return its Stream."""
        found = self.streams[stream]
        self.until(lambda: found.ended or found.reset is not None)
        return found

    def ping(self):
        """Wait until the server has processed everything sent before."""
        self.h2.ping(b"are here")
        self.flush()
        n = len(self.pongs)
        self.until(lambda: len(self.pongs) > n)

    def take(self, event):
        """Process an event."""
        if isinstance(event, h2.events.PingAckReceived):
            self.pongs.append(event.ping_data)
        found = self.streams.get(getattr(event, "stream_id", None))
        if found is None:
            return
        match event:
            case h2.events.InformationalResponseReceived():
                found.interim.append(event.headers)
            case h2.events.ResponseReceived():
                found.fields = event.headers
            case h2.events.TrailersReceived():
                found.trailers = event.headers
            case h2.events.DataReceived():
                found.body += event.data
                self.order.append(event.stream_id)
                if self.acks and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            case h2.events.StreamEnded():
                found.ended = True
            case h2.events.StreamReset():
                found.reset = event.error_code


def talk(serving, **kwargs):
    """Return a Talk with a server."""
    return Talk(serving.connect(), **kwargs)


def talk_tls(place, context, **kwargs):
    """Return a Talk over TLS, with HTTP/2 selected by ALPN."""
    context.set_alpn_protocols(["h2"])
    sock = socket.create_connection(place, DEADLINE_S)
    wrapped = context.wrap_socket(sock, server_hostname="localhost")
    assert wrapped.selected_alpn_protocol() == "h2"
    return Talk(wrapped, **kwargs)
