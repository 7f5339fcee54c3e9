"""Why a server does not start: one exception a reason, each with one line of text."""

from __future__ import annotations


def reason_first(text: str) -> str:
    """Return a text that is a traceback with its last line, the reason, in front."""
    lines = text.rstrip().splitlines()
    if not lines or not lines[0].startswith("Traceback (most recent call last)"):
        return text.rstrip()
    reason = next(x for x in reversed(lines) if not x.startswith(" "))
    return "\n".join([reason, *lines])


class ConfigError(ValueError):
    """A setting that cannot be used.

    ``name`` is the field of Config (``"root_path"``), ``text`` completes the sentence:
    ``"begins with '/', not 'api'"``.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name} {text}".lstrip())
        self.name = name
        self.text = text


class AppError(Exception):
    """The application cannot be loaded.

    Its ``__cause__``, where there is one, is what the application's own code raised;
    the traceback of that begins in the application's code.
    """


class BindError(OSError):
    """There is no socket to listen on as the settings ask for."""
