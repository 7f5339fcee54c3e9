"""Routes sessions of WebTransport, and passes requests to any application.

docs/WEBTRANSPORT.md specifies the messages of a session.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["Router", "Session"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Session:
    """One session; iterating over it yields its messages until it ends."""

    def __init__(
        self, scope: Message, receive: Receive, send: Send, params: dict[str, str]
    ) -> None:
        """``params`` are the parts of the path that its route has named."""
        self.scope = scope
        self.path_params = params
        self._receive = receive
        self._send = send

    async def accept(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Accept the session."""
        await self._receive()
        message = {"type": "webtransport.accept", "headers": list(headers)}
        await self._send(message)

    async def close(self, code: int = 0, reason: str = "") -> None:
        """End the session, or reject it before it is accepted."""
        message = {"type": "webtransport.close", "code": code, "reason": reason}
        await self._send(message)

    async def receive(self) -> Message:
        """Return the next message."""
        return await self._receive()

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield messages until the session ends."""
        while True:
            message = await self._receive()
            if message["type"] == "webtransport.disconnect":
                return
            yield message

    async def open_stream(self, bidirectional: bool = True) -> None:
        """Open a stream: webtransport.stream.opened has its ID."""
        await self._send(
            {"type": "webtransport.stream.open", "bidirectional": bidirectional}
        )

    async def send(self, stream: int, data: bytes, end_stream: bool = False) -> None:
        """Send bytes on a stream, and its end."""
        await self._send(
            {
                "type": "webtransport.stream.send",
                "stream": stream,
                "data": data,
                "end_stream": end_stream,
            }
        )

    async def send_datagram(self, data: bytes) -> None:
        """Send a datagram."""
        await self._send({"type": "webtransport.datagram.send", "data": data})

    async def reset(self, stream: int, code: int = 0) -> None:
        """Send no more on a stream."""
        message = {"type": "webtransport.stream.reset", "stream": stream}
        await self._send({**message, "code": code})

    async def stop(self, stream: int, code: int = 0) -> None:
        """Receive no more from a stream."""
        message = {"type": "webtransport.stream.stop", "stream": stream}
        await self._send({**message, "code": code})

    async def pause(self, stream: int) -> None:
        """Deliver no data of a stream until it is resumed."""
        await self._send({"type": "webtransport.stream.pause", "stream": stream})

    async def resume(self, stream: int) -> None:
        """Deliver data of a stream again."""
        await self._send({"type": "webtransport.stream.resume", "stream": stream})


Handler = Callable[[Session], Awaitable[None]]


def _compile(path: str) -> re.Pattern[str]:
    """Return the pattern of a path with parts like ``{name}``."""
    if not path.startswith("/"):
        raise ValueError(f'a path begins with "/": {path!r}')
    parts = re.split(r"{([A-Za-z_]\w*)}", path)
    texts = [
        f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part)
        for i, part in enumerate(parts)
    ]
    return re.compile("".join(texts))


class Router:
    """Passes sessions to handlers by their path, and all else to ``app``."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._routes: list[tuple[re.Pattern[str], Handler]] = []

    def session(self, path: str) -> Callable[[Handler], Handler]:
        """Return a decorator of the handler for sessions of ``path``.

        ``{name}`` matches any text without "/". The session's ``path_params`` has the
        text by its name.
        """
        pattern = _compile(path)

        def add(handler: Handler) -> Handler:
            self._routes.append((pattern, handler))
            return handler

        return add

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Call a handler, or the application."""
        if scope["type"] != "webtransport":
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match is not None:
                params = match.groupdict()
                await handler(Session(scope, receive, send, params))
                return
        await send({"type": "webtransport.close", "code": 404})
