"""A proxy that takes everything a client sends for one request, as no proxy should.

It shows that a request which the proxy has not seen is detected.
"""

import contextlib
import socket
import threading

QUIET_S = 0.1


class Naive:
    """The proxy, in a thread; it marks only the first head of each connection."""

    def __init__(self, back):
        self.back = socket.create_connection(("127.0.0.1", back), 10)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.back.close()

    def printed(self):
        """Return nothing: it prints nothing."""
        return ""

    def run(self):
        """Serve one client after another, all on one connection to the server."""
        with contextlib.suppress(OSError):
            while True:
                with self.listener.accept()[0] as sock:
                    line, _, rest = self.read(sock).partition(b"\r\n")
                    rest = rest.replace(b"Connection: close\r\n", b"")
                    self.back.sendall(line + b"\r\nX-Front: 1\r\n" + rest)
                    sock.sendall(self.read(self.back))

    @staticmethod
    def read(sock):
        """Read until nothing arrives for a while."""
        data = b""
        sock.settimeout(10)
        with contextlib.suppress(TimeoutError):
            while piece := sock.recv(65536):
                data += piece
                sock.settimeout(QUIET_S)
        return data
