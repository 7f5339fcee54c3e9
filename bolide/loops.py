"""Event loops by name: asyncio's, uvloop's, rloop's, or one of the user's own."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from bolide.errors import AppError, ConfigError
from bolide.importer import import_target

LOOPS = ("auto", "none", "asyncio", "uvloop", "zuvloop", "rloop")
"""Choices of ``loop``; "none" leaves it to asyncio's policy."""

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def refuse_running_loop(call: str, instead: str) -> None:
    """Raise RuntimeError where a loop runs in this thread: ``call`` makes its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"{call} cannot be called while an event loop runs: {instead}")


def check_loop(loop: Any) -> None:
    """Raise ConfigError unless ``loop`` is one of LOOPS, or can name a factory."""
    if loop in LOOPS or callable(loop):
        return
    if not isinstance(loop, str) or ":" not in loop:
        choices = ", ".join(LOOPS)
        raise ConfigError("loop", f"is one of {choices}, or module:name, not {loop!r}")


def loop_factory(loop: Any) -> LoopFactory | None:
    """Return what makes loops of the kind ``loop``; None: asyncio's policy does.

    ``loop`` is one of LOOPS, a function that returns a loop, or ``"module:function"``.
    Raises ConfigError.
    """
    if callable(loop):
        found: LoopFactory = loop
        return found
    if loop == "none":
        return None
    if ":" in loop:
        try:
            found = import_target(loop)
        except AppError as error:
            raise ConfigError("loop", f"cannot be used: {error}") from error.__cause__
        return found
    package = "uvloop" if loop == "auto" else loop
    if package != "asyncio":
        try:
            module: Any = importlib.import_module(package)
            found = module.new_event_loop
            return found
        except ImportError:
            if loop != "auto":
                raise ConfigError("loop", f"{loop}: it is not installed") from None
    return asyncio.new_event_loop


def loop_name(loop: asyncio.AbstractEventLoop) -> str:
    """Return the package that ``loop`` is of."""
    return type(loop).__module__.partition(".")[0].lstrip("_")
