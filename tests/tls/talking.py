"""A TLS server in a thread of this process, and clients for it."""

import asyncio
import socket
import ssl

from serving import DEADLINE_S, Serving, answer, read_answer, request


async def hello(scope, receive, send):
    """Respond with "hello"."""
    await answer(send, b"hello")


def client_context(authority, pair=None, **attributes):
    """Return a client's context: what it trusts, and the certificate it sends."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


class Secure(Serving):
    """Serves ``app`` over TLS with ``pair`` within its block."""

    def __init__(self, app, pair, **settings):
        super().__init__(app, **{**pair.settings(), **settings})

    def open(self, context, name="localhost", session=None):
        """Return a TLS connection."""
        sock = socket.create_connection(self.place, DEADLINE_S)
        try:
            return context.wrap_socket(sock, server_hostname=name, session=session)
        except BaseException:
            sock.close()
            raise

    def reload(self):
        """Make the server reload its certificates, in its thread; return whether it
        did.
        """

        async def run():
            return self.server.reload_certificates()

        reloading = asyncio.run_coroutine_threadsafe(run(), self.loop)
        return reloading.result(DEADLINE_S)

    def get(self, context, target="/", **kwargs):
        """Send one request on a new connection; return its Answer."""
        with self.open(context, **kwargs) as sock:
            sock.sendall(request(target))
            return read_answer(sock)


def scope_over_tls(authority, pair, client=None, settings=None, **attributes):
    """Return the scope that an application gets from a client over TLS."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Secure(app, pair, **(settings or {})) as serving:
        serving.get(client_context(authority, client, **attributes))
    (scope,) = scopes
    return scope
