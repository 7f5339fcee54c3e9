"""``--env-file``: variables that are loaded before any others are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from bolide.errors import ConfigError


def read_env_file(path: str | os.PathLike[str] | None) -> dict[str, str]:
    """Return the variables set by the file at ``path``; raise ConfigError."""
    if path is None:
        return {}
    try:
        from dotenv import dotenv_values
    except ImportError:
        text = "needs python-dotenv: pip install python-dotenv"
        raise ConfigError("env_file", text) from None
    try:
        values: Mapping[str, Any] = dotenv_values(path)
    except (OSError, ValueError) as error:
        raise ConfigError("env_file", f"cannot be read: {error}") from None
    return {name: value for name, value in values.items() if value is not None}


def environment(path: str | os.PathLike[str] | None) -> Mapping[str, str]:
    """Return the environment with the variables of a file; existing ones have
    priority.
    """
    added = read_env_file(path)
    return {**added, **os.environ} if added else os.environ
