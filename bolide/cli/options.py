"""The options of the command: their names, values and meanings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from bolide.config.groups import FILES
from bolide.config.rows import in_order
from bolide.config.setting import Setting


class Option(NamedTuple):
    """One option, for the parser, the help text and docs/OPTIONS.md."""

    name: str
    """With its dashes."""
    field: str
    """The field of Config that it sets; "" for those that print and exit."""
    group: str
    """Its heading in the help text."""
    takes: str
    """The placeholder of its value, in capitals; "" for a switch."""
    default: str
    """The default as shown in the help text; "" for none."""
    meaning: str
    kind: str = "text"
    """"text", "names" (a text with commas, or a list in a file), "int", "bool",
    "switch", "limit", "topic" (a value may follow); or, for options that may be
    repeated, "list" (of NAME:VALUE) and "texts".
    """
    alias: str = ""
    """Another name, from another server."""
    example: str = ""
    """An example value for docs/OPTIONS.md."""
    unit: str = ""
    also: tuple[str, ...] = ()
    """Variables of other programs that set it if its own variable is not set."""
    aliases: tuple[str, ...] = ()
    """Names that other servers use for it, not shown."""
    words: tuple[str, ...] = ()
    """Values that may follow a switch."""

    @property
    def variable(self) -> str:
        """The environment variable that also sets it; "" for none."""
        if self.name == "--config":
            return "BOLIDE_CONFIG"
        if not self.field:
            return ""
        return f"BOLIDE_{self.field.upper()}"

    @property
    def negative(self) -> str:
        """The name that turns a switch off; "" if it is off by default."""
        is_on = self.kind == "switch" and self.default in ("on", "auto")
        return f"--no-{self.name[2:]}" if is_on else ""


def _kind(row: Setting) -> str:
    """Return the kind of option for a setting."""
    if row.type.startswith("bool"):
        return "bool" if row.takes else "switch"
    if row.is_limit or row.type.startswith("float"):
        return "limit"
    if row.type in ("int", "int | None"):
        return "int"
    if row.type.startswith("Iterable[tuple"):
        return "list"
    if row.type == "list[str] | str":
        return "names"
    is_many = row.type.startswith("Iterable") or row.type == "tls.Paths"
    return "texts" if is_many else "text"


def _of_settings() -> Iterator[Option]:
    """Yield the options of the settings, in the order of the documents."""
    for row in in_order():
        if row.group == FILES and row.name == "env_file":
            yield _CONFIG
        yield Option(
            row.option, row.name, row.group, row.takes, row.shown, row.help,
            _kind(row), row.known_as, row.example, row.unit, row.also,
            row.aliases, row.choices if _kind(row) == "switch" else (),
        )  # fmt: skip


_CONFIG = Option(
    "--config", "", FILES, "PATH", "",
    "configuration file instead of bolide.toml and [tool.bolide] in pyproject.toml",
    example="deploy/bolide.toml",
)  # fmt: skip

OPTIONS = (
    *_of_settings(),
    Option("--check-config", "", "about", "", "",
           "check the settings, load the application, and exit", "switch"),
    Option("--print-config", "", "about", "", "",
           "print every setting with its origin, as TOML, and exit", "switch"),
    Option("--completion", "", "about", "bash|zsh|fish", "",
           "print what makes a shell complete options, and exit", example="bash"),
    Option("--version", "", "about", "", "", "print the version and exit", "switch"),
    Option("--verbose", "", "about", "", "",
           "with --version: also print those of the linked libraries", "switch",
           example="--version"),
    Option("--help", "", "about", "TOPIC", "",
           "print the most used options, or those of a topic, and exit", "topic",
           "-h", example="tls"),
)  # fmt: skip
"""All options, in the order of docs/OPTIONS.md."""


def by_name() -> dict[str, tuple[Option, bool]]:
    """Return every name of an option, with the value that a switch of that name
    sets.
    """
    names: dict[str, tuple[Option, Any]] = {}
    for option in OPTIONS:
        names[option.name] = (option, True)
        if option.negative:
            names[option.negative] = (option, False)
        if option.alias:
            names[option.alias] = (option, True)
    for option in OPTIONS:
        for name in option.aliases:
            names.setdefault(name, (option, not name.startswith("--no-")))
    return names
