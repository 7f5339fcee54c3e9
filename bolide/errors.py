"""Why a server does not start: one exception per reason, each with one line."""

from __future__ import annotations


def reason_first(text: str) -> str:
    """Return a traceback with its last line, the reason, moved to the front."""
    lines = text.rstrip().splitlines()
    if not lines or not lines[0].startswith("Traceback (most recent call last)"):
        return text.rstrip()
    reason = next(x for x in reversed(lines) if not x.startswith(" "))
    return "\n".join([reason, *lines])


class ConfigError(ValueError):
    """A setting is invalid.

    ``name`` is the parameter of Config (``"root_path"``), and ``text`` completes the
    sentence: ``"begins with '/', not 'api'"``.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name} {text}".lstrip())
        self.name = name
        self.text = text


class AppError(Exception):
    """The application cannot be loaded.

    Its ``__cause__``, if there is one, is the exception that the application's own code
    raised; its traceback begins in the application's code.
    """


class BindError(OSError):
    """The server cannot listen on an address."""
