"""``--help``: the most used options on one screen, and the others by topic."""

from __future__ import annotations

import textwrap

from bolide.cli.options import OPTIONS, Option

BASIC = (
    "--host", "--port", "--bind", "--uds", "--workers", "--reload", "--factory",
    "--app-dir", "--root-path", "--lifespan", "--log-level", "--access-log",
    "--forwarded-allow-ips", "--ssl-certfile", "--ssl-keyfile", "--limit-concurrency",
    "--timeout-keep-alive", "--timeout-graceful-shutdown", "--config", "--env-file",
    "--check-config", "--version", "--help",
)  # fmt: skip
"""Options on the screen that ``--help`` alone prints."""

_SHORT = {
    "where to listen": "listen",
    "the application": "app",
    "responses and logs": "output",
    "behind proxies": "proxies",
    "HTTP/2": "http2",
    "HTTP/3": "http3",
    "configuration files": "files",
    "accepted from uvicorn": "uvicorn",
    "development": "reload",
}
"""Topics whose group has a longer heading."""

_WIDTH = 32
"""Width of the column of names."""


def topics() -> dict[str, str]:
    """Return what may follow ``--help``, with the group of options that it shows."""
    groups = dict.fromkeys(option.group for option in OPTIONS)
    names = {_SHORT.get(x, x.lower().replace(" ", "-")): x for x in groups}
    return {name: group for name, group in names.items() if name != "about"}


def help_text(topic: str = "") -> str:
    """Return the output of ``--help topic``: "" is the screen, "all" everything."""
    known = topics()
    lines = ["usage: bolide [options] module:app", ""]
    if topic:
        wanted = [known[topic]] if topic != "all" else [*known.values(), "about"]
        for group in wanted:
            lines += [f"{group}:", *_entries([x for x in OPTIONS if x.group == group])]
            lines.append("")
    else:
        lines += [
            "Serves the ASGI application `app` of the Python module `module`.",
            "",
        ]
        lines += [*_entries([x for x in OPTIONS if x.name in BASIC]), ""]
        lines += [
            "`bolide top` shows the numbers of a running server: bolide top --help.",
            "",
        ]
        names = f"More by topic, as `bolide --help tls`: {', '.join(known)}; or all."
        lines += textwrap.wrap(names, 80)
    lines += [
        "Variables set options too: BOLIDE_PORT=80 is --port 80, BOLIDE_APP is",
        "module:app, BOLIDE_ACCESS_LOG=off is --no-access-log. See docs/OPTIONS.md.",
    ]
    return "\n".join(lines)


def _entries(options: list[Option]) -> list[str]:
    return [line for option in options for line in _entry(option)]


def _entry(option: Option) -> list[str]:
    """Return the lines of one option: its names, then its meaning."""
    names = ", ".join(filter(None, (option.alias, option.name, option.negative)))
    head = f"  {names} {option.takes}".rstrip()
    text = option.meaning
    if option.default:
        text += f" (default: {option.default})"
    lines = textwrap.wrap(text, 88 - _WIDTH)
    if len(head) < _WIDTH:
        head = head.ljust(_WIDTH) + lines.pop(0)
    return [head, *(" " * _WIDTH + line for line in lines)]
