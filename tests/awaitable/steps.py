# SPDX-License-Identifier: MIT
"""Awaitables to await, and a way to await one without an event loop."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any


async def value(result: Any = None) -> Any:
    """Finish at once with `result`."""
    return result


async def failure(exc: BaseException) -> None:
    """Finish at once with an exception."""
    raise exc


@types.coroutine
def pause(token: Any = "pause") -> Generator[Any, Any, Any]:
    """Yield `token` once; come to what is sent in."""
    return (yield token)


class Recorder:
    """An awaitable that pauses for ever and notes what is done to it."""

    def __init__(self) -> None:
        """Begin with nothing noted."""
        self.seen: list[Any] = []

    def __await__(self) -> Generator[str, Any, None]:
        """Pause, and note each value and each exception that comes in."""
        while True:
            try:
                self.seen.append((yield "recorder"))
            except BaseException as exc:
                self.seen.append(exc)
                raise


def run(coro: Coroutine[Any, Any, Any]) -> Any:
    """Send None until the coroutine returns, and return its result."""
    while True:
        try:
            coro.send(None)
        except StopIteration as stop:
            return stop.value
