"""Serves a directory over a protocol, and asks for its files."""

import contextlib

import serving
from serving import Serving, answer, read_answer, request
from talking import Secure, client_context

APPLICATION = 299
"""The status of the application's responses."""


async def app(scope, receive, send):
    """Answer with a status that nothing else has."""
    await answer(send, scope["path"].encode("latin-1", "replace"), APPLICATION)


class Site:
    """A directory, and how it is served."""

    def __init__(self, root, protocol, localhost):
        self.root, self.protocol = root, protocol
        self.authority, self.pair = localhost

    @contextlib.contextmanager
    def serve(self, *mounts, app=app, **settings):
        """Serve ``mounts`` (/static by default); give a function that asks."""
        settings["static"] = mounts or [f"/static={self.root}"]
        before, serving.SPOKEN = serving.SPOKEN, "h1"
        try:
            if self.protocol == "tls":
                server = Secure(app, self.pair, **settings)
                context = client_context(self.authority)
                with server:
                    yield lambda *a, **k: ask_once(server, context, *a, **k)
                return
            serving.SPOKEN = self.protocol
            with Serving(app, **settings) as server:
                yield server.ask
        finally:
            serving.SPOKEN = before


def ask_once(server, context, path, fields="", **kwargs):
    """Send one request on a new connection over TLS; return its Answer."""
    with server.open(context) as sock:
        sock.sendall(request(path, fields, **kwargs))
        return read_answer(sock, kwargs.get("method", "GET"))
