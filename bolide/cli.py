"""The ``bolide`` command: from arguments and environment to a Config, nothing more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from bolide.config import Config
from bolide.errors import AppError, ConfigError
from bolide.importer import check_target
from bolide.options import NOT_YET, OPTIONS, Option, by_name, help_text
from bolide.server import EXIT_USAGE, run_config

_SWITCH = {
    "1": True, "true": True, "yes": True, "on": True,
    "0": False, "false": False, "no": False, "off": False,
}  # fmt: skip


class UsageError(Exception):
    """Wrong use of the command; the text is one line that says what is wrong."""


def parse(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of Config that the command line and the environment set.

    The command line wins; of an option given twice the last counts. ``--help`` and
    ``--version`` give ``{"help": True}`` and ``{"version": True}``, nothing else.
    Raises UsageError.
    """
    settings = _from_environment(environ)
    apps = [environ["BOLIDE_APP"]] if environ.get("BOLIDE_APP") else []
    given: list[str] = []
    names = by_name()
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=")
        if word == "--":
            given += rest
        elif not word.startswith("-") or word == "-":
            given.append(word)
        elif name not in names:
            raise UsageError(_unknown(name, list(names)))
        else:
            option, means = names[name]
            if not option.field:
                return {option.name[2:]: True}
            if option.kind == "switch":
                if has_value:
                    raise UsageError(f"{name} takes no value")
                settings[option.field] = means
            else:
                text = value if has_value else _next(rest, name, names)
                _put(settings, option, text, name)
    apps = given or apps
    if len(apps) != 1:
        raise UsageError(_which_app(apps))
    return {**settings, "app": apps[0]}


def _which_app(apps: list[str]) -> str:
    if apps:
        return f"one application is served, not {len(apps)}: {' '.join(apps)}"
    return "which application? give module:app, or --help to see more"


def _unknown(name: str, names: list[str]) -> str:
    if name in NOT_YET:
        return f"{name} is not in this version of bolide"
    import difflib

    close = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"there is no option {name}{hint}"


def _next(rest: Iterator[str], name: str, names: Mapping[str, object]) -> str:
    """Return the word behind option ``name``."""
    word = next(rest, None)
    if word is None or word.partition("=")[0] in names:
        raise UsageError(f"{name} needs a value")
    return word


def _put(settings: dict[str, Any], option: Option, text: str, name: str) -> None:
    """Put the value of an option where it belongs; ``name`` is what the user wrote."""
    if option.kind == "list":
        key, colon, value = text.partition(":")
        if not colon:
            raise UsageError(f"{name} takes NAME:VALUE, not {text!r}")
        settings.setdefault(option.field, []).append((key, value))
    elif option.kind == "int":
        try:
            settings[option.field] = int(text)
        except ValueError:
            raise UsageError(f"{name} takes a whole number, not {text!r}") from None
    elif option.kind == "bool":
        if text.lower() not in _SWITCH:
            raise UsageError(f"{name} is on or off, not {text!r}")
        settings[option.field] = _SWITCH[text.lower()]
    else:
        settings[option.field] = text


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for option in OPTIONS:
        text = environ.get(option.variable, "") if option.variable else ""
        if not text:
            continue
        if option.kind != "switch":
            _put(settings, option, text, option.variable)
        elif text.lower() in _SWITCH:
            settings[option.field] = _SWITCH[text.lower()]
        else:
            raise UsageError(f"{option.variable} is on or off, not {text!r}")
    return settings


def _config(words: Sequence[str], environ: Mapping[str, str]) -> Config | None:
    """Return a Config, or None when there was only something to print; UsageError."""
    settings = parse(words, environ)
    if "help" in settings:
        print(help_text())
        return None
    if "version" in settings:
        from bolide import __version__

        python = ".".join(map(str, sys.version_info[:3]))
        print(f"bolide {__version__} (CPython {python}, {os.uname().sysname})")
        return None
    settings.setdefault("app_dir", ".")
    try:
        check_target(settings["app"])
        return Config(**settings)
    except AppError as error:
        raise UsageError(str(error)) from None
    except ConfigError as error:
        name = next(x.name for x in OPTIONS if x.field == error.name)
        raise UsageError(f"{name} {error.text}") from None


def _open_standard_descriptors() -> None:
    """Open 0, 1 and 2 where they are closed, so that nothing else gets their numbers.

    What writes to standard output would write to a peer then, and libuv aborts.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command with ``arguments``, ``sys.argv`` by default, and exit.

    The code is 0 after an orderly stop, 1 when the application cannot be loaded or the
    address cannot be used, 2 after wrong use, 3 when the application's startup fails,
    and 128 plus the number of the signal that ended it at once.
    """
    _open_standard_descriptors()
    try:
        config = _config(sys.argv[1:] if arguments is None else arguments, os.environ)
    except UsageError as error:
        sys.stderr.write(f"bolide: error: {error}\n")
        sys.exit(EXIT_USAGE)
    sys.exit(run_config(config, owns_process=True) if config is not None else 0)
