"""Settings with a fixed set of values."""

from __future__ import annotations

from typing import Any

from bolide.errors import ConfigError

LIFESPANS = ("auto", "on", "off")
WEBSOCKETS = ("auto", "none", "websockets", "websockets-sansio", "wsproto")
"""Choices of ``ws``; uvicorn's names of libraries all mean "auto" here."""

LOG_FORMATS = ("text", "json")

KTLS = ("auto", "off")

INTERFACES = ("auto", "asgi3", "asgi2", "wsgi")

LOOPS = ("auto", "none", "asyncio", "uvloop", "zuvloop", "rloop")
"""Choices of ``loop``; "none" uses asyncio's policy."""

LEVELS = {
    "critical": 50,
    "error": 40,
    "warning": 30,
    "info": 20,
    "debug": 10,
    "trace": 5,
}
"""Level names as in uvicorn, with the numbers of ``logging``."""

CONGESTION = ("cubic", "bbr", "reno")
"""Choices of ``h3_congestion``, in the order of the engine's enum quic_congestion."""

STATIC_MISSING = ("app", "404")
"""Choices of ``static_missing``."""

CERT_REQS = ("none", "optional", "required")
"""Choices of ``ssl_cert_reqs``, in the order of ``ssl.CERT_NONE`` and so on."""

VERSIONS = {
    "auto": (0x0303, 0x0304),
    "TLSv1.2": (0x0303, 0x0303),
    "TLSv1.3": (0x0304, 0x0304),
}
"""Choices of ``ssl_version``: the lowest and the highest version allowed."""


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ConfigError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ConfigError(name, f"is one of {', '.join(choices)}, not {value!r}")


def level_number(level: str | int | None) -> int:
    """Return a level of the log as a number of logging's; raise ConfigError."""
    if level is None:
        return LEVELS["info"]
    if isinstance(level, int):
        return level
    if str(level).lower() not in LEVELS:
        raise ConfigError("log_level", f"is one of {', '.join(LEVELS)}, not {level}")
    return LEVELS[level.lower()]


def check_loop(loop: Any) -> None:
    """Raise ConfigError unless ``loop`` is one of LOOPS, or can be the name of a
    factory.
    """
    if loop in LOOPS or callable(loop):
        return
    if not isinstance(loop, str) or ":" not in loop:
        choices = ", ".join(LOOPS)
        raise ConfigError("loop", f"is one of {choices}, or module:name, not {loop!r}")
