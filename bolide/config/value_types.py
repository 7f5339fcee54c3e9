"""Checks that each setting has a value of its type."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bolide.errors import ConfigError

SWITCH = {
    "1": True, "true": True, "yes": True, "on": True,
    "0": False, "false": False, "no": False, "off": False,
}  # fmt: skip
"""Texts for the values of a switch."""


def decimal(text: str) -> int | None:
    """Return the number written in ASCII digits; None if it is invalid or huge."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= 10
    return int(text) if is_number else None


def check_kinds(
    settings: Mapping[str, Any], kinds: Mapping[str, str]
) -> dict[str, Any]:
    """Return those of ``settings`` whose values must be converted to their annotated
    kind.

    ``kinds`` are annotations as text; unknown ones are ignored. Texts are converted to
    numbers and switches. Raises ConfigError.
    """
    changed = {}
    for name, kind in kinds.items():
        check = _CHECKS.get(kind.removesuffix(" | None"))
        value = settings.get(name)
        if check is None or value is None or type(value) is _EXACT.get(kind):
            continue
        found = check(name, value)
        if found is not value:
            changed[name] = found
    return changed


def _check_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ConfigError(name, f"takes text, not {value!r}")


def _check_path(name: str, value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return value
    raise ConfigError(name, f"takes a path, not {value!r}")


def _check_number(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, (str, float)):
            number = int(value)
            if isinstance(value, str) or number == value:
                return number
    except (ValueError, OverflowError):
        pass
    raise ConfigError(name, f"takes a whole number, not {value!r}")


def _check_seconds(name: str, value: Any) -> Any:
    """Return ``value``, unchanged; its range is checked later."""
    try:
        if not isinstance(value, bool):
            float(value)
            return value
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigError(name, f"takes a number, not {value!r}")


def _check_switch(name: str, value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() not in SWITCH:
            raise ConfigError(name, f"is on or off, not {value!r}")
        return SWITCH[value.lower()]
    return bool(value)


def _check_switch_or_word(name: str, value: Any) -> bool | str:
    return "auto" if value == "auto" else _check_switch(name, value)


def _check_texts(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        found = list(value)
        if all(isinstance(x, str) for x in found):
            return found
    raise ConfigError(name, f"takes text, or a list of texts, not {value!r}")


def _check_paths(name: str, value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return value
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        found = list(value)
        if all(isinstance(x, (str, os.PathLike)) for x in found):
            return found
    raise ConfigError(name, f"takes a path, or a list of paths, not {value!r}")


NEVER_NONE = ("str", "int", "bool", "float", "Iterable[str] | str", "list[str] | str")
"""Kinds for which None is the default."""

_EXACT = {"str": str, "bool": bool, "int": int, "str | None": str, "int | None": int}
"""Kinds whose values need no check if they have exactly this type."""

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "str": _check_text,
    "str | os.PathLike[str]": _check_path,
    "int": _check_number,
    "float": _check_seconds,
    "bool": _check_switch,
    "bool | str": _check_switch_or_word,
    "Iterable[str] | str": _check_texts,
    "list[str] | str": _check_texts,
    "tls.Paths": _check_paths,
}
