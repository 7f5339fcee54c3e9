"""Event loops by name: asyncio's, uvloop's, rloop's, or a custom one."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from bolide.errors import AppError, ConfigError
from bolide.serving.app_loader import import_target

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def refuse_running_loop(call: str, instead: str) -> None:
    """Raise RuntimeError if a loop runs in this thread, as ``call`` creates its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"{call} cannot be called while an event loop runs: {instead}")


def loop_factory(loop: Any) -> LoopFactory | None:
    """Return the factory for loops of the kind ``loop``; None: asyncio's policy.

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
    """Return the package that provides ``loop``."""
    return type(loop).__module__.partition(".")[0].lstrip("_")
