"""The ``bolide`` command: from arguments and environment to a Config, nothing more."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bolide._engine import TLSError
from bolide.config import Config
from bolide.errors import AppError, BindError, ConfigError
from bolide.importer import check_target
from bolide.options import OPTIONS
from bolide.server import EXIT_ERROR, EXIT_OK, EXIT_USAGE
from bolide.settings import Gathered, UsageError, gather
from bolide.start import run_config
from bolide.usage import help_text


def parse(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of Config that are set, and what is asked for instead."""
    gathered = gather(words, environ)
    return {**gathered.values(), **gathered.asks}


def _config_of(gathered: Gathered) -> Config:
    """Return the checked settings; raise UsageError."""
    settings = {"app_dir": ".", **gathered.values()}
    try:
        check_target(settings["app"])
        config = Config(**settings)
    except AppError as error:
        raise UsageError(str(error)) from None
    except ConfigError as error:
        given = gathered.settings.get(error.name)
        origin = given.origin if given is not None else error.name
        text = error.text if ":" in origin else _in_options(error.text)
        raise UsageError(f"{origin} {text}") from None
    config.notes += gathered.notes
    return config


def _in_options(text: str) -> str:
    """Return ``text`` with options in place of the fields of Config that it names."""
    for option in OPTIONS:
        if "_" in option.field:
            text = re.sub(rf"(?<![\w-]){option.field}\b", option.name, text)
    return text


def _version() -> str:
    from bolide import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    return f"bolide {__version__} (CPython {python}, {os.uname().sysname})"


def _answer(gathered: Gathered) -> int | None:
    """Print what is asked for instead of serving; the exit code, None: to be served."""
    asks = gathered.asks
    if "help" in asks:
        print(help_text(asks["help"]))
    elif "version" in asks:
        print(_version())
    elif "completion" in asks:
        from bolide.completion import script

        print(script(asks["completion"]), end="")
    elif "print-config" in asks:
        from bolide.shown import config_text

        print(config_text(_config_of(gathered), gathered), end="")
    elif "check-config" in asks:
        return _check(_config_of(gathered))
    else:
        return None
    return EXIT_OK


def _check(config: Config) -> int:
    """Read all that a start reads; say whether that is fine."""
    from bolide.checking import check_start

    try:
        check_start(config)
    except (AppError, BindError, ConfigError, TLSError) as error:
        what = "cannot serve TLS: " if isinstance(error, TLSError) else ""
        sys.stderr.write(f"bolide: error: {what}{error}\n")
        return EXIT_ERROR
    print(f"the configuration is fine, and {config.app} can be loaded")
    return EXIT_OK


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
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] == "top":
        from bolide.top import run

        sys.exit(run(list(words[1:]), sys.stdout))
    environ = dict(os.environ)

    def again() -> Config:
        try:
            return _config_of(gather(words, environ))
        except UsageError as error:
            raise ConfigError("", str(error)) from None

    try:
        gathered = gather(words, environ)
        code = _answer(gathered)
        config = _config_of(gathered) if code is None else None
    except UsageError as error:
        sys.stderr.write(f"bolide: error: {error}\n")
        sys.exit(EXIT_USAGE)
    if config is not None:
        try:
            code = run_config(config, again, owns_process=True)
        except ConfigError as error:  # a file of its own that cannot be used
            sys.stderr.write(f"bolide: error: {error}\n")
            code = EXIT_USAGE
    sys.exit(code)
