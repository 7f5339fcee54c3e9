"""The settings of a server.

``Config`` and ``LOGGING_CONFIG`` are imported when they are first used: the modules of
this package are imported one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bolide.config.config import Config as Config
    from bolide.config.logging_config import LOGGING_CONFIG as LOGGING_CONFIG


def __getattr__(name: str) -> object:
    """Return ``Config`` or ``LOGGING_CONFIG``."""
    if name == "Config":
        from bolide.config import config

        return config.Config
    if name == "LOGGING_CONFIG":
        from bolide.config import logging_config

        return logging_config.LOGGING_CONFIG
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
