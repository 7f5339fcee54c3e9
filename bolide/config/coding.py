"""Settings of the compression of responses, checked."""

from __future__ import annotations

from typing import NamedTuple

from bolide import _engine
from bolide.errors import ConfigError

CODINGS = ("zstd", "br", "gzip")
"""All codings, in order of preference."""

TYPES = (
    "text/*,application/json,application/*+json,application/javascript,"
    "application/xml,application/*+xml,application/x-ndjson,application/graphql,"
    "application/wasm,application/x-javascript,image/svg+xml,image/bmp,"
    "image/x-icon,font/ttf,font/otf"
)
"""The media types that are compressed by default."""


class Coding(NamedTuple):
    """The engine's settings, and notes for the user."""

    codings: bytes
    types: bytes
    excepted: bytes
    warnings: list[str]

    def for_engine(self) -> dict[str, object]:
        """Return the settings for ``_engine.Server``."""
        return {
            "compress_codings": self.codings,
            "compress_types": self.types,
            "compress_except": self.excepted,
        }


def words_of(value: list[str] | str) -> list[str]:
    """Return the items of a list, or of a text separated by commas; none for "auto"."""
    words = value.split(",") if isinstance(value, str) else value
    found = [word.strip() for word in words if word.strip()]
    return [] if found == ["auto"] else found


def check(
    codings: list[str] | str,
    types: list[str] | str,
    excepted: list[str] | str,
    *,
    is_on: bool,
    available: tuple[str, ...] = _engine.CODINGS,
) -> Coding:
    """Return the settings in the engine's format.

    Raises ConfigError for an unknown coding, if none of the requested ones is built in,
    and for an invalid type or path.
    """
    wanted = words_of(codings)
    for name in wanted:
        if name not in CODINGS:
            raise ConfigError(
                "compress_codings", f"takes {', '.join(CODINGS)}, not {name!r}"
            )
    missing = [name for name in wanted if name not in available]
    used = [name for name in wanted or CODINGS if name in available]
    warnings = [f"compress_codings: {name} is not built in" for name in missing]
    if is_on and not used:
        raise ConfigError("compress_codings", f"not built in: {', '.join(missing)}")
    for kind in words_of(types):
        if kind.count("/") != 1 or not kind.isascii() or ";" in kind or " " in kind:
            raise ConfigError("compress_types", f"takes media types, not {kind!r}")
    for path in words_of(excepted):
        if not path.startswith("/"):
            raise ConfigError("compress_except", f'begins with "/", not {path!r}')
    return Coding(
        codings=",".join(used).encode(),
        types=(",".join(words_of(types)) or TYPES).encode(),
        excepted=",".join(words_of(excepted)).encode(),
        warnings=warnings if is_on else [],
    )
