"""Sources of settings: the command line, then the environment, then a file."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bolide.cli.aliases import HINTS, MEANINGLESS
from bolide.cli.help import topics
from bolide.cli.options import OPTIONS, Option, by_name
from bolide.config.binds import split_binds
from bolide.config.env_file import read_env_file
from bolide.config.value_types import SWITCH
from bolide.errors import ConfigError

_LIKENESS = 0.75
"""The minimum similarity of a name and a suggestion, such as "prot" and "port"."""


class UsageError(Exception):
    """Wrong usage of the command; the text is one line with the error."""


class Given(NamedTuple):
    """The value of one setting."""

    value: Any
    origin: str
    """Where the user wrote it: "--port", "BOLIDE_PORT", "bolide.toml:3: port"."""


class Gathered(NamedTuple):
    """Everything that the user requested."""

    settings: dict[str, Given]
    """By the name of the field of Config; "app" is the application."""
    asks: dict[str, str]
    """The action to run instead of serving: "help", "print-config", ..."""
    notes: list[str]
    """Notes for the user, one line each."""

    def values(self) -> dict[str, Any]:
        """Return the given settings as fields of Config."""
        return {name: given.value for name, given in self.settings.items()}


def gather(words: Sequence[str], environ: Mapping[str, str]) -> Gathered:
    """Return the settings of the command line, the environment and the file.

    If an option is given twice, the last one counts. Raises UsageError.
    """
    asks: dict[str, str] = {}
    notes: list[str] = []
    settings = _from_words(words, asks, notes)
    if "help" in asks or "version" in asks or "completion" in asks:
        return Gathered({}, asks, notes)
    named = settings.get("env_file") or _named_in(environ)
    variables = _with_file(environ, named)
    path = asks.get("config") or variables.get("BOLIDE_CONFIG", "")
    in_file = _from_file(path)
    if named is None:
        variables = _with_file(environ, in_file.get("env_file"))
    for name, given in _from_environment(variables, notes).items():
        settings.setdefault(name, given)
    for name, given in in_file.items():
        settings.setdefault(name, given)
    if "app" not in settings:
        raise UsageError("no application given: name it as module:app, or see --help")
    return Gathered(settings, asks, notes)


# The command line


def _from_words(
    words: Sequence[str], asks: dict[str, str], notes: list[str]
) -> dict[str, Given]:
    settings: dict[str, Given] = {}
    apps: list[str] = []
    names = by_name()
    rest = deque(words)
    while rest:
        word = rest.popleft()
        word = _apart(word, names, rest)
        name, has_value, value = word.partition("=")
        if word == "--":
            apps += rest
            rest.clear()
        elif not word.startswith("-") or word == "-":
            apps.append(word)
        elif name in MEANINGLESS:
            notes.append(f"{name} is ignored: it has no effect in bolide")
            if MEANINGLESS[name] and not has_value:
                _next(rest, name, names)
        elif name not in names:
            raise UsageError(_unknown(name))
        else:
            option, means = names[name]
            if option.kind == "switch" and has_value and value not in option.words:
                raise UsageError(_unexpected(option, name))
            text = value
            if option.kind == "topic":
                text = _topic(rest, name, value)
            elif rest and rest[0] in option.words and not has_value:
                text = rest.popleft()
            elif option.kind != "switch" and not has_value:
                text = _next(rest, name, names)
            if not option.field:
                asks[option.name[2:]] = text
            elif option.kind == "switch":
                settings[option.field] = Given(text or means, name)
            else:
                _put(settings, option, text, name)
    if len(apps) > 1:
        text = f"one application is served, not {len(apps)}: {' '.join(apps)}"
        raise UsageError(text)
    if apps:
        settings["app"] = Given(apps[0], "the command line")
    return settings


def _apart(word: str, names: Mapping[str, object], rest: deque[str]) -> str:
    """Split the value off a short option that is joined with it, such as -w4 or
    -b:8000.
    """
    short = word[:2]
    is_known = short in names or short in MEANINGLESS or short in HINTS
    if len(word) < 3 or word[0] != "-" or word[1] == "-" or not is_known:
        return word
    if word[2] != "=":
        rest.appendleft(word[2:])
        return short
    return word


def _topic(rest: deque[str], name: str, value: str) -> str:
    """Return the topic of help: ``value``, or the next argument if it is a topic."""
    known = [*topics(), "all"]
    if value and value not in known:
        raise UsageError(f"{name} takes one of {', '.join(known)}, not {value!r}")
    return rest.popleft() if not value and rest and rest[0] in known else value


def _unexpected(option: Option, name: str) -> str:
    words = " or ".join(option.words)
    return f"{name} takes no value" + (f" other than {words}" if words else "")


def _unknown(name: str) -> str:
    if name in HINTS:
        return f"there is no option {name}: {HINTS[name]}"
    own = [x for option in OPTIONS for x in (option.name, option.negative) if x]
    return f"there is no option {name}{_did_you_mean(name, own)}"


def _did_you_mean(name: str, names: list[str]) -> str:
    import difflib

    bare = {x.removeprefix("--"): x for x in names}
    close = difflib.get_close_matches(name.removeprefix("--"), bare, 1, _LIKENESS)
    return f"; did you mean {bare[close[0]]}?" if close else ""


def _next(rest: deque[str], name: str, names: Mapping[str, object]) -> str:
    """Return the argument after option ``name``."""
    if not rest or rest[0].partition("=")[0] in names:
        raise UsageError(f"{name} needs a value")
    return rest.popleft()


def _put(settings: dict[str, Given], option: Option, text: str, origin: str) -> None:
    """Convert the text of an option and store it as its setting."""
    value: Any = text
    if option.kind in ("list", "texts"):
        before = settings[option.field].value if option.field in settings else []
        value = [*before, _pair(text, origin) if option.kind == "list" else text]
    elif option.kind == "int":
        try:
            value = int(text)
        except ValueError:
            raise UsageError(f"{origin} takes a whole number, not {text!r}") from None
    elif option.kind in ("bool", "switch") and text not in option.words:
        if text.lower() not in SWITCH:
            raise UsageError(f"{origin} is on or off, not {text!r}")
        value = SWITCH[text.lower()]
    settings[option.field] = Given(value, origin)


def _pair(text: str, origin: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"{origin} takes NAME:VALUE, not {text!r}")
    return key, value


# The environment


def _named_in(environ: Mapping[str, str]) -> Given | None:
    """Return the env file that a variable names."""
    for name in ("BOLIDE_ENV_FILE", "UVICORN_ENV_FILE"):
        if environ.get(name):
            return Given(environ[name], name)
    return None


def _with_file(environ: Mapping[str, str], named: Given | None) -> Mapping[str, str]:
    """Return the variables including those of a file, which have lower priority;
    UsageError.
    """
    if named is None or not named.value:
        return environ
    try:
        return {**read_env_file(named.value), **environ}
    except ConfigError as error:
        raise UsageError(f"{named.origin} {error.text}") from None


def _from_environment(environ: Mapping[str, str], notes: list[str]) -> dict[str, Given]:
    settings: dict[str, Given] = {}
    if environ.get("BOLIDE_APP"):
        settings["app"] = Given(environ["BOLIDE_APP"], "BOLIDE_APP")
    for option in OPTIONS:
        if not option.variable:
            continue
        theirs = "UVICORN_" + option.variable.removeprefix("BOLIDE_")
        for name in (option.variable, theirs, *option.also):
            text = environ.get(name, "")
            if not text:
                continue
            if name == theirs:
                notes.append(f"{name} is read; its name here is {option.variable}")
            for part in _parts(option, text):
                _put(settings, option, part, name)
            break
    return settings


def _parts(option: Option, text: str) -> list[str]:
    """Return the values in a variable for an option that may be repeated."""
    if option.field == "bind":
        return split_binds(text)
    if option.kind == "texts":
        return [x for x in re.split(r"[,\s]+", text) if x]
    if option.kind == "list":
        return text.splitlines() if "\n" in text else re.split(r"\s+(?=\S+:)", text)
    return [text]


# The file


def _from_file(path: str) -> dict[str, Given]:
    """Return the settings in bolide.toml or pyproject.toml, or in the file at
    ``path``.
    """
    if path:
        return _read_file(path, _text_of(path))
    for name in ("bolide.toml", "pyproject.toml"):
        if os.path.isfile(name):
            text = _text_of(name)
            if name == "bolide.toml" or "tool.bolide" in text:
                return _read_file(name, text)
    return {}


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"cannot read {path}: {why}") from None


def _read_file(path: str, text: str) -> dict[str, Given]:
    import tomllib

    try:
        table: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of numbers and arrays too large
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    if os.path.basename(path) == "pyproject.toml":
        table = _table_in(_table_in(table, path, "tool"), path, "bolide")
    keys = {x.field: x for x in OPTIONS if x.field}
    keys |= {x.name[2:].replace("-", "_"): x for x in OPTIONS if x.field}
    settings: dict[str, Given] = {}
    for key, value in table.items():
        origin = f"{path}:{_line_of(text, key)}: {key}"
        option = keys.get(key.replace("-", "_"))
        if key == "app" and isinstance(value, str):
            settings["app"] = Given(value, origin)
        elif option is None:
            close = _did_you_mean(key.replace("-", "_"), [*keys, "app"])
            raise UsageError(f"{origin} is not a setting{close}")
        else:
            settings[option.field] = Given(_of_toml(option, value, origin), origin)
    return settings


def _table_in(table: Any, path: str, name: str) -> Any:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {name} is a table, not {found!r}")
    return found


def _line_of(text: str, key: str) -> int:
    """Return the number of the first line that seems to set ``key``."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(
            rf"""\s*\[?\s*([\w.]+\.)?["']?{re.escape(key)}["']?\s*[]=.]""", line
        ):
            return number
    return 1


def _of_toml(option: Option, value: Any, origin: str) -> Any:
    """Convert a value of TOML for Config."""
    if option.kind in ("switch", "bool"):
        if not isinstance(value, bool) and value not in option.words:
            raise UsageError(f"{origin} is true or false, not {value!r}")
        return value
    if option.kind == "list":
        if isinstance(value, dict):
            return [(name, str(text)) for name, text in value.items()]
        texts = value if isinstance(value, list) else [value]
        return [_pair(str(text), origin) for text in texts]
    if option.kind == "texts":
        return [str(x) for x in (value if isinstance(value, list) else [value])]
    if option.kind == "names" and isinstance(value, list):
        return [str(x) for x in value]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UsageError(f"{origin} takes one {option.takes.lower()}, not {value!r}")
    if option.kind == "int":
        if not isinstance(value, int):
            raise UsageError(f"{origin} takes a whole number, not {value!r}")
        return value
    return value if option.kind == "limit" else str(value)
