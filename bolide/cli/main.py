"""The ``bolide`` command: converts arguments and environment to a Config."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bolide import _engine
from bolide._engine import TLSError
from bolide.cli.help import help_text
from bolide.cli.options import OPTIONS
from bolide.cli.sources import Gathered, UsageError, gather
from bolide.config.config import Config
from bolide.errors import AppError, BindError, ConfigError
from bolide.run import run_config
from bolide.server import EXIT_ERROR, EXIT_OK, EXIT_USAGE
from bolide.serving.app_loader import check_target


def parse(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the given settings, and the action to run instead of serving."""
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
        raise UsageError(_text_of(error, gathered)) from None
    config.notes += gathered.notes
    return config


def _text_of(error: ConfigError, gathered: Gathered) -> str:
    """Return the error, with the name that the user gave the setting."""
    given = gathered.settings.get(error.name)
    origin = given.origin if given is not None else error.name
    text = error.text if ":" in origin else _in_options(error.text)
    return f"{origin} {text}".lstrip()


def _in_options(text: str) -> str:
    """Return ``text`` with fields of Config replaced by the names of options."""
    for option in OPTIONS:
        if "_" in option.field:
            text = re.sub(rf"(?<![\w-]){option.field}\b", option.name, text)
    return text


def _version() -> str:
    from bolide import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    return f"bolide {__version__} (CPython {python}, {os.uname().sysname})"


def _built() -> str:
    """Return a line for each library that the engine is linked with, and for itself."""
    where = "built in" if _engine.BUILT_IN else "the system's"
    found = _engine.libraries()
    lines = [f"{name} {version} ({where})" for name, version in found.items()]
    return "\n".join([*lines, f"built by {_engine.COMPILER}, {_engine.OPTIMIZATION}"])


def _answer(gathered: Gathered) -> int | None:
    """Print what is requested instead of serving; return the exit code, or None to
    serve.
    """
    asks = gathered.asks
    if "help" in asks:
        print(help_text(asks["help"]))
    elif "version" in asks:
        print(_version())
        if "verbose" in asks:
            print(_built())
    elif "verbose" in asks:
        raise UsageError("--verbose goes with --version")
    elif "completion" in asks:
        from bolide.cli.completion import script

        print(script(asks["completion"]), end="")
    elif "print-config" in asks:
        from bolide.cli.print_config import config_text

        print(config_text(_config_of(gathered), gathered), end="")
    elif "check-config" in asks:
        return _check(_config_of(gathered), gathered)
    else:
        return None
    return EXIT_OK


def _check(config: Config, gathered: Gathered) -> int:
    """Read everything that a start reads; print whether it is valid."""
    from bolide.cli.check_config import check_start

    try:
        check_start(config)
    except ConfigError as error:
        sys.stderr.write(f"bolide: error: {_text_of(error, gathered)}\n")
        return EXIT_ERROR
    except (AppError, BindError, TLSError) as error:
        what = "cannot serve TLS: " if isinstance(error, TLSError) else ""
        sys.stderr.write(f"bolide: error: {what}{error}\n")
        return EXIT_ERROR
    print(f"the configuration is fine, and {config.app} can be loaded")
    return EXIT_OK


def _open_standard_descriptors() -> None:
    """Open 0, 1 and 2 if they are closed, so that nothing else gets their numbers.

    Otherwise output to standard output could be sent to a peer, and libuv aborts.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command with ``arguments``, by default ``sys.argv``, and exit.

    The exit code is 0 after a graceful stop, 1 if the application cannot be loaded or
    the address cannot be used, 2 after wrong usage, 3 if the application's startup
    fails, and 128 plus the number of the signal that ended it at once.
    """
    _open_standard_descriptors()
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] == "top":
        from bolide.cli.top import run

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
        except ConfigError as error:  # a file that cannot be used
            sys.stderr.write(f"bolide: error: {_text_of(error, gathered)}\n")
            code = EXIT_USAGE
    sys.exit(code)
