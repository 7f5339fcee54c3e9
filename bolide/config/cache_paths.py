"""The settings of the cache: its size, and lifetimes of paths, such as "/api/=30"."""

from __future__ import annotations

from collections.abc import Iterable

from bolide.config.value_types import decimal
from bolide.errors import ConfigError

CACHE_LEAST = 1 << 20
"""The minimum size of the cache: STORE_BYTES_MIN of src/cache/key.h."""

_MOST = 1 << 31


def check_cache_paths(given: Iterable[str] | str | None) -> list[str]:
    """Return the texts; raise ConfigError for an invalid one."""
    if isinstance(given, str):
        given = given.split(",")
    texts = list(given or ())
    for text in texts:
        path, _, seconds = text.rpartition("=")
        number = decimal(seconds)
        if not path.startswith("/") or not _is_plain(path):
            raise ConfigError("cache_paths", f"takes /PATH=SECONDS, not {text!r}")
        if number is None or number >= _MOST:
            raise ConfigError("cache_paths", f"takes /PATH=SECONDS, not {text!r}")
    return texts


def _is_plain(path: str) -> bool:
    return path.isascii() and path.isprintable() and " " not in path


def encode_cache_paths(texts: Iterable[str]) -> bytes:
    """Return checked texts in the engine's format."""
    pairs = (text.rpartition("=") for text in texts)
    return b"".join(f"{seconds} {path}\n".encode() for path, _, seconds in pairs)
