"""Runs an application on a server in a thread of this process, and talks to it."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from http.client import HTTPResponse

import bolide

DEADLINE_S = 20 * int(os.environ.get("PATIENCE", "1"))
SPOKEN = "h1"
"""Protocol that is used with the server; for "h2" and "h3" a gateway sits between
(translating.py, translating_h3.py)."""
CERTIFICATE = {}
"""Settings of Config for HTTP/3: a certificate and its key."""

LOOPS = {"asyncio": asyncio.new_event_loop}
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS["uvloop"] = uvloop.new_event_loop


class Record:
    """Collects what the server logs: lines, and exceptions of the application."""

    def __init__(self):
        self.lines = []
        self.exceptions = []

    def line(self, level, text):
        """Record a line."""
        self.lines.append((level, text))

    def exception(self, text, exc):
        """Record an exception."""
        self.exceptions.append(exc)

    def failure(self, text, cause):
        """Record why something failed, and the exception if there is one."""
        self.line(40, text)
        if cause is not None:
            self.exceptions.append(cause)

    def errors(self):
        """Return the lines of level ERROR (40) and above."""
        return [text for level, text in self.lines if level >= 40]


def listen_at(host):
    """Return a socket that listens on a port of ``host`` that is free for UDP too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        listener = socket.create_server((host, 0), family=family)
        with (
            contextlib.suppress(OSError),
            socket.socket(family, socket.SOCK_DGRAM) as probe,
        ):
            probe.bind(listener.getsockname())
            return listener
        listener.close()


class Serving:
    """Serves ``app`` within its ``with`` block; accepts all settings of Config."""

    def __init__(self, app, loop="asyncio", **settings):
        settings = {"lifespan": "off", "access_log": False, **settings}
        if SPOKEN == "h3":
            settings |= {**CERTIFICATE, "http3": True}
        self.server = bolide.Server(bolide.Config(app, **settings))
        self.server.log = self.log = Record()
        self.loop_errors = []
        self.failure = None
        self.gateway = None
        self.make_loop = LOOPS[loop]
        self.listener = self.listen()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def listen(self):
        """Return the socket to listen on."""
        return listen_at("127.0.0.1")

    def run(self):
        """Serve until the block ends. Runs in the thread."""
        try:
            with asyncio.Runner(loop_factory=self.make_loop) as runner:
                loop = runner.get_loop()
                loop.set_exception_handler(self.on_loop_error)
                runner.run(self.serve())
        except BaseException as failure:
            self.failure = failure
        finally:
            self.ready.set()

    def on_loop_error(self, loop, context):
        """Record the text of an error: an exception would keep its frames alive."""
        self.loop_errors.append(repr(context))

    async def serve(self):
        """Serve, and signal when the server has started."""
        self.loop = asyncio.get_running_loop()
        task = asyncio.create_task(self.server.serve([self.listener]))
        while not self.server.started and not task.done():
            await asyncio.sleep(0.001)
        self.ready.set()
        await task

    def __enter__(self):
        self.place = self.listener.getsockname()
        self.thread.start()
        assert self.ready.wait(DEADLINE_S)
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:  # shown below the failure of the test
            print(self.log.lines, self.log.exceptions, self.loop_errors, self.failure)
        assert kind is not None or self.failure is None, self.failure

    def stop(self):
        """Stop the server and wait for its end."""
        if self.gateway is not None:
            self.gateway.close()
        self.server.should_exit = True
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()

    def connect(self):
        """Return a connection for HTTP/1.1."""
        if SPOKEN in ("h2", "h3"):
            return self.connect_by_gateway()
        return self.connect_directly()

    def connect_by_gateway(self):
        """Return a connection to a gateway that uses SPOKEN with the server."""
        if SPOKEN == "h2":
            from translating import Gateway
        else:
            from translating_h3 import Gateway

        if self.gateway is None:
            self.gateway = Gateway(self.place, self.listener_family())
        return self.gateway.connect(DEADLINE_S)

    def connect_directly(self):
        """Return a connection to the server itself."""
        sock = socket.socket(self.listener_family())
        sock.settimeout(DEADLINE_S)
        sock.connect(self.place)
        return sock

    def listener_family(self):
        """Return the address family."""
        if isinstance(self.place, str):
            return socket.AF_UNIX
        return socket.AF_INET6 if len(self.place) == 4 else socket.AF_INET

    def talk(self, data):
        """Send bytes on a new connection; return everything received until it ends."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    def ask(self, *args, **kwargs):
        """Send one request on a new connection; return its Answer."""
        with self.connect() as sock:
            sock.sendall(request(*args, **kwargs))
            return read_answer(sock, kwargs.get("method", "GET"))


class Answer:
    """A response: its status, its fields in order, its body, and whether it is
    complete.
    """

    def __init__(self, response):
        self.status = response.status
        self.fields = [(n.lower(), v) for n, v in response.getheaders()]
        try:
            self.body, self.is_whole = response.read(), True
        except Exception as cut:
            self.body, self.is_whole = getattr(cut, "partial", b""), False

    def field(self, name):
        """Return the values of a field, joined, or None."""
        values = [v for n, v in self.fields if n == name]
        return ", ".join(values) if values else None


def settled(serving, **wanted):
    """Wait until the counters have the expected values; return all of them."""
    end = time.monotonic() + DEADLINE_S
    while True:
        numbers = serving.server.tallies.read(0)
        found = {name: numbers[name] for name in wanted}
        if found == wanted:
            return numbers
        assert time.monotonic() < end, found
        time.sleep(0.01)


def request(target="/", fields="", body=b"", method="GET", version="1.1"):
    """Return the bytes of a request; ``fields`` are complete lines."""
    head = f"{method} {target} HTTP/{version}\r\n"
    if "host:" not in fields.lower() and version == "1.1":
        head += "Host: a\r\n"
    if body and "transfer-encoding" not in fields.lower():
        head += f"Content-Length: {len(body)}\r\n"
    return (head + fields + "\r\n").encode("latin-1") + body


def read_answer(sock, method="GET"):
    """Read one response from a connection."""
    response = HTTPResponse(sock, method=method)
    response.begin()
    return Answer(response)


def read_all(sock):
    """Return everything received until the connection ends or is reset."""
    data = bytearray()
    while True:
        try:
            piece = sock.recv(1 << 20)
        except ConnectionResetError:
            return bytes(data)
        if not piece:
            return bytes(data)
        data += piece


def body_of(data):
    """Return what follows the head of the first response."""
    return data.partition(b"\r\n\r\n")[2]


def read_until(sock, end):
    """Return what is received, up to ``end`` or a little more."""
    data = b""
    while end not in data:
        piece = sock.recv(65536)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    return data


async def answer(send, body=b"", status=200, headers=()):
    """Send a complete response."""
    await send(
        {"type": "http.response.start", "status": status, "headers": list(headers)}
    )
    await send({"type": "http.response.body", "body": body})


async def start(send, status=200, headers=()):
    """Send the start of a response."""
    message = {"type": "http.response.start", "status": status}
    await send({**message, "headers": list(headers)})


async def more(send, body):
    """Send a part of a body."""
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def read_body(receive):
    """Return the whole body of a request."""
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def scope_of(sent, **settings):
    """Return the scope that the application gets for the bytes ``sent``."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Serving(app, **settings) as serving:
        assert serving.talk(sent).startswith(b"HTTP/1.1 200 "), sent
    (scope,) = scopes
    return scope


def outcome(send_all, **settings):
    """Return what the client receives as a response, and what the server logged.

    ``send_all(send)`` sends the application's messages.
    """

    async def app(scope, receive, send):
        return await send_all(send)

    with Serving(app, **settings) as serving:
        data = serving.talk(request(fields="Connection: close\r\n"))
    return data, serving.log
