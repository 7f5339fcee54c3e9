"""``--print-config``: every setting with its value and origin, as TOML."""

from __future__ import annotations

from typing import Any

from bolide.cli.options import OPTIONS
from bolide.cli.sources import Gathered
from bolide.config.config import Config

_SECRET = ("cache_purge_token", "ssl_keyfile_password")
"""Settings whose values are not printed, because the output may be shown to others."""


def config_text(config: Config, gathered: Gathered) -> str:
    """Return a bolide.toml with all settings of ``config``, each with its origin."""
    lines = [_line("app", config.app, gathered)]
    group = ""
    for option in OPTIONS:
        if not option.field:
            continue
        if option.group != group:
            group = option.group
            lines += ["", f"# {group}"]
        lines.append(_line(option.field, getattr(config, option.field), gathered))
    return "\n".join(lines) + "\n"


def _line(name: str, value: Any, gathered: Gathered) -> str:
    given = gathered.settings.get(name)
    origin = given.origin if given is not None else "default"
    if origin.endswith(f": {name}"):
        origin = origin.removesuffix(f": {name}")
    if isinstance(value, dict):
        value = None
    if name == "umask" and value is not None:
        value = f"{value:03o}"
    text = f"# {name}" if value is None else f"{name} = {_toml(value)}"
    if name in _SECRET and value:
        text = f"# {name} is set"
    return f"{text:<40} # {origin}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        texts = (f"{x[0]}:{x[1]}" if isinstance(x, tuple) else x for x in value)
        return "[" + ", ".join(map(_toml, texts)) + "]"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    """Return a basic string of TOML; the escapes of JSON are valid in it."""
    import json

    return json.dumps(text, ensure_ascii=False)
