# SPDX-License-Identifier: MIT
"""Awaitables to await, and a way to await one without an event loop."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any


async def value(result: Any = None) -> Any:
    """Return `result` without suspending."""
    return result


async def failure(exc: BaseException) -> None:
    """Raise an exception without suspending."""
    raise exc


@types.coroutine
def pause(token: Any = "pause") -> Generator[Any, Any, Any]:
    """Yield `token` once; return the value that is sent."""
    return (yield token)


class Recorder:
    """An awaitable that suspends forever and records what is sent or thrown into it."""

    def __init__(self) -> None:
        """Start with an empty record."""
        self.seen: list[Any] = []

    def __await__(self) -> Generator[str, Any, None]:
        """Suspend, and record each value and each exception that comes in."""
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
