"""The ``bolide`` command: from arguments to a Config, and nothing more."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from bolide.config import LIFESPANS, LIMITS, LOOPS, ConfigError
from bolide.logs import LEVELS
from bolide.server import EXIT_USAGE, Server, make_config

_NOT_YET = frozenset(
    "--reload --reload-dir --reload-include --reload-exclude --reload-delay --workers "
    "--env-file --log-config --http --ws --ws-max-size --ws-max-queue "
    "--ws-ping-interval --ws-ping-timeout --ws-per-message-deflate --interface "
    "--proxy-headers --no-proxy-headers --forwarded-allow-ips --limit-max-requests "
    "--limit-max-requests-jitter --timeout-worker-healthcheck --ssl-keyfile "
    "--ssl-certfile --ssl-keyfile-password --ssl-version --ssl-cert-reqs "
    "--ssl-ca-certs --ssl-ciphers --use-colors --no-use-colors "
    "--h11-max-incomplete-event-size --reset-contextvars --http2".split()
)
"""Options of uvicorn that this version does not have."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        for name in _NOT_YET:
            if message.startswith("unrecognized arguments:") and name in message.split():
                message = f"{name} is not in this version of bolide"
        self.exit(EXIT_USAGE, f"{self.prog}: error: {message}\n")


def _add_switch(group: Any, name: str, text: str) -> None:
    dest = name.replace("-", "_")
    group.add_argument(f"--{name}", action="store_true", default=None, help=text)
    group.add_argument(
        f"--no-{name}", action="store_false", dest=dest, help=argparse.SUPPRESS
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; options that are not given stay None."""
    parser = _Parser(
        prog="bolide",
        usage="bolide [options] module:app",
        description="Serve an ASGI application.",
        allow_abbrev=False,
    )
    parser.add_argument("app", help="the application, as module:attribute")
    parser.add_argument("--version", action="store_true", help="print it and exit")

    bind = parser.add_argument_group("where to listen")
    bind.add_argument("--host", help="address or name (127.0.0.1)")
    bind.add_argument("--port", type=int, help="0 takes a free one (8000)")
    bind.add_argument("--uds", metavar="PATH", help="a Unix socket instead")
    bind.add_argument("--fd", type=int, help="an inherited listening socket instead")
    bind.add_argument("--backlog", type=int, help="waiting connections (2048)")

    app = parser.add_argument_group("the application")
    app.add_argument("--factory", action="store_true", default=None,
                     help="module:app is called and returns the application")
    app.add_argument("--app-dir", metavar="DIR", help="where modules are looked for (.)")
    app.add_argument("--root-path", metavar="PATH", help="where it is mounted")
    app.add_argument("--lifespan", choices=LIFESPANS, help="(auto)")
    app.add_argument("--loop", choices=LOOPS, help="(auto: uvloop where installed)")

    say = parser.add_argument_group("what is said")
    say.add_argument("--log-level", choices=list(LEVELS), help="(info)")
    _add_switch(say, "access-log", "a line per request; --no-access-log (on)")
    _add_switch(say, "date-header", "a Date field; --no-date-header (on)")
    _add_switch(say, "server-header", "a Server field; --no-server-header (on)")
    say.add_argument("--header", action="append", metavar="NAME:VALUE", dest="headers",
                     help="a field added to every answer; may be repeated")

    limits = parser.add_argument_group("limits and times")
    for limit in LIMITS:
        limits.add_argument(limit.option, metavar=limit.unit.upper(),
                            help=f"{limit.meaning} ({limit.default:g})")
    return parser  # fmt: skip


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {k: v for k, v in vars(arguments).items() if v is not None}
    given.pop("version")
    headers = given.pop("headers", [])
    given["headers"] = [tuple(text.partition(":")[::2]) for text in headers]
    for text in headers:
        if ":" not in text:
            raise ConfigError(f"--header takes NAME:VALUE, not {text!r}")
    given.setdefault("app_dir", ".")
    return given


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command with ``arguments`` (``sys.argv`` by default) and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--version" in words:
        from bolide import __version__

        print(f"bolide {__version__}")
        sys.exit(0)
    parser = make_parser()
    try:
        settings = _settings(parser.parse_args(words))
        config = make_config(settings.pop("app"), settings)
    except ConfigError as error:
        parser.error(str(error))
    sys.exit(Server(config).run())
