"""An application whose responses are described by the query of the request.

    /a?cc=max-age=60&etag="1"&status=404&sleep=0.1&h=name:value

Its body is the number of the call and of the process. With the environment variable
CALLS, each call adds a line to that file.
"""

import asyncio
import os
from urllib.parse import parse_qsl


class App:
    """Counts its calls, and records their scopes."""

    def __init__(self):
        self.scopes = []
        self.fails = False
        self.override = {}
        """Replaces the arguments of the query for the next calls."""

    @property
    def calls(self):
        """Return how often it was called."""
        return len(self.scopes)

    async def __call__(self, scope, receive, send):
        """Respond as the query says."""
        assert scope["type"] == "http"
        self.scopes.append(scope)
        note_call()
        words = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        words |= self.override
        if "sleep" in words:
            await asyncio.sleep(float(words["sleep"]))
        if self.fails:
            raise RuntimeError("as requested")
        status = int(words.get("status", 200))
        fields = list(fields_of(words))
        asked = dict(scope["headers"])
        is_same = asked.get(b"if-none-match") == words.get("etag", "").encode()
        if "etag" in words and is_same and status == 200:
            status = 304
        body = words.get("body", f"{self.calls} {os.getpid()}").encode()
        if "size" in words:
            body = b"x" * int(words["size"])
        start = {"type": "http.response.start", "status": status, "headers": fields}
        await send(start)
        parts = [body[:3], body[3:]] if "parts" in words else [body]
        for part in parts:
            message = {"type": "http.response.body", "body": part}
            await send({**message, "more_body": part is not parts[-1]})


def fields_of(words):
    """Yield the fields named by the arguments."""
    yield b"content-type", b"text/plain"
    names = {"cc": b"cache-control", "etag": b"etag", "vary": b"vary", "age": b"age"}
    for word, name in names.items():
        if word in words:
            yield name, words[word].encode()
    if "h" in words:
        name, _, value = words["h"].partition(":")
        yield name.encode(), value.encode()


def note_call():
    """Add a line to the file of $CALLS."""
    if path := os.environ.get("CALLS"):
        with open(path, "a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


app = App()
