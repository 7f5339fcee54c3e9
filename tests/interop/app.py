"""The application that the clients of run.py send requests to."""

from serving import answer, read_body

PATTERN = bytes(range(256))


def pattern(n):
    """Return the ``n`` bytes that ``/bytes/n`` responds with."""
    return (PATTERN * (n // 256 + 1))[:n]


async def app(scope, receive, send):
    """Respond with bytes, with the body, or with what early-data says."""
    path = scope["path"]
    if path.startswith("/bytes/"):
        await answer(send, pattern(int(path[7:])))
    elif path == "/early":
        await answer(send, dict(scope["headers"]).get(b"early-data", b"0"))
    else:
        await answer(send, await read_body(receive))
