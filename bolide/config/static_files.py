"""Which files are served without the application, checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from bolide.errors import ConfigError

IMMUTABLE = "public, max-age=31536000, immutable"
"""The Cache-Control field for the value ``immutable`` of ``static_cache_control``."""

TYPES = ("/etc/mime.types", "/etc/apache2/mime.types", "/usr/share/misc/mime.types")
"""Where systems have their media types."""

_PATH_BYTES = 1024


class StaticFiles(NamedTuple):
    """What the engine needs to serve files; without ``mounts`` it serves none."""

    mounts: tuple[tuple[bytes, bytes], ...] = ()
    """Prefixes of paths, without a last slash, and directories; the longest prefix
    first."""
    rules: tuple[tuple[bytes, bytes], ...] = ()
    """Patterns of paths below a prefix, and values of Cache-Control."""
    index_name: bytes = b""
    fallback: bytes = b""
    types_file: str = ""
    is_last: bool = False

    def for_engine(self) -> dict[str, object]:
        """Return the keys of the engine's mapping."""
        types = b""
        if self.mounts and self.types_file:
            with open(self.types_file, "rb") as file:
                types = file.read()
        return {
            "static": self.mounts,
            "static_cache_control": self.rules,
            "static_index": self.index_name,
            "static_fallback": self.fallback,
            "static_types": types,
            "static_last": self.is_last,
        }


def list_texts(given: Iterable[str] | str) -> list[str]:
    """Return the texts of a setting that is one or several."""
    return [given] if isinstance(given, str) else list(given)


def check(
    *,
    mounts: list[str],
    rules: list[tuple[str, str]],
    index: str,
    fallback: str,
    types: str | None,
    missing: str,
) -> StaticFiles:
    """Return the checked settings; raise ConfigError."""
    pairs = [_check_mount(text) for text in mounts]
    prefixes = [prefix for prefix, _ in pairs]
    for prefix in prefixes:
        if prefixes.count(prefix) > 1:
            shown = prefix.decode() or "/"
            raise ConfigError("static", f"names the prefix {shown} twice")
    return StaticFiles(
        mounts=tuple(sorted(pairs, key=lambda pair: -len(pair[0]))),
        rules=tuple(_check_rule(rule) for rule in rules),
        index_name=_check_index(index),
        fallback=_check_fallback(fallback),
        types_file=_find_types(types),
        is_last=missing == "404",
    )


def _check_mount(text: str) -> tuple[bytes, bytes]:
    prefix, is_pair, directory = text.partition("=")
    if not is_pair or not prefix.startswith("/") or not directory:
        raise ConfigError("static", f"takes PREFIX=DIR, not {text!r}")
    names = prefix.strip("/").split("/")
    is_plain = names == [""] or all(x and x not in (".", "..") for x in names)
    encoded = os.fsencode("/" + "/".join(names)) if names != [""] else b""
    if not is_plain or not _is_path(encoded) or "%" in prefix:
        raise ConfigError("static", f"takes a plain path as prefix, not {prefix!r}")
    if not os.path.isdir(directory) or "\0" in directory:
        raise ConfigError("static", f'is not a directory: "{directory}"')
    return encoded, os.fsencode(os.path.abspath(directory))


def _is_path(path: bytes) -> bool:
    is_printable = all(byte >= 0x20 and byte != 0x7F for byte in path)
    return is_printable and b"\\" not in path and len(path) < _PATH_BYTES


def list_pairs(given: Any) -> list[tuple[str, str]]:
    """Return pairs of a list or a mapping."""
    if given is None:
        return []
    try:
        pairs = given.items() if isinstance(given, dict) else given
        return [(str(pattern), str(value)) for pattern, value in pairs]
    except (TypeError, ValueError, AttributeError):
        raise ConfigError(
            "static_cache_control", f"takes pairs, not {given!r}"
        ) from None


def _check_rule(rule: tuple[str, str]) -> tuple[bytes, bytes]:
    pattern, value = rule[0].strip(), rule[1].strip()
    if value == "immutable":
        value = IMMUTABLE
    if not pattern or not value or not (value.isascii() and value.isprintable()):
        text = f"takes PATTERN:VALUE, not {rule[0]!r} and {rule[1]!r}"
        raise ConfigError("static_cache_control", text)
    return os.fsencode(pattern), value.encode()


def _check_index(name: str) -> bytes:
    encoded = os.fsencode(name)
    is_name = not name.startswith(".") and b"/" not in encoded and len(encoded) < 256
    if not is_name or not _is_path(encoded):
        raise ConfigError("static_index", f"takes the name of a file, not {name!r}")
    return encoded


def _check_fallback(path: str) -> bytes:
    if not path:
        return b""
    names = path.removeprefix("/").split("/")
    encoded = os.fsencode("/" + "/".join(names))
    if not all(x and not x.startswith(".") for x in names) or not _is_path(encoded):
        text = f"takes the path of a file below DIR, not {path!r}"
        raise ConfigError("static_fallback", text)
    return encoded


def _find_types(path: str | None) -> str:
    if path:
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise ConfigError("static_types", f'is not a readable file: "{path}"')
        return os.path.abspath(path)
    return next((x for x in TYPES if os.access(x, os.R_OK)), "")
