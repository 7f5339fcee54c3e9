"""One setting, and the class that a table of settings becomes.

A table is a class whose annotated names are settings:

    timeout_head: float | None = setting(default=10, unit="s", key="head_ms", ...)

``table`` gives the class a constructor that takes them, as ``dataclasses.dataclass``
would, but without code that is compiled for each: for this many that takes 10 ms and
1.6 MiB of every process. Type checkers read it as a dataclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

from bolide.errors import ConfigError

if TYPE_CHECKING:
    from inspect import Signature

T = TypeVar("T")


class Setting:
    """One row of a table."""

    __slots__ = (
        "after", "aliases", "also", "choices", "default", "encoded", "example", "group",
        "help", "highest", "key", "known_as", "lowest", "name", "option", "shown",
        "takes", "type", "unit",
    )  # fmt: skip

    name: str
    """The name of the field of Config, of the keyword, and of the key in a file."""
    type: str
    """Its annotation."""
    default: Any
    unit: str
    """"s", "bytes", ...; "" without a unit. The engine counts "s" in milliseconds."""
    lowest: float
    highest: float | None
    """The range of a number; None: not a number, or checked elsewhere."""
    key: str
    """The engine's name, in the settings of ``_engine.Server``; "": not passed to
    the engine, or converted by ``Config.for_engine``.
    """
    encoded: bool
    """Whether the engine gets the text as bytes."""
    choices: tuple[str, ...]
    """The allowed values."""
    group: str
    """The heading of its option in the help text and docs/OPTIONS.md; "": it has no
    option, and is for programs only.
    """
    option: str
    """Its option, with dashes."""
    takes: str
    """The placeholder of the option's value, in capitals or as choices; "" for a
    switch.
    """
    known_as: str
    """Another name of the option, shown in the help text. (Type checkers take
    "alias" for the name of a parameter.)
    """
    aliases: tuple[str, ...]
    """Names that other servers use for the option; see docs/migration/. They are
    accepted, but not shown. One that begins with "--no-" turns a switch off.
    """
    also: tuple[str, ...]
    """Variables of other programs that set it if its own variable is not set."""
    example: str
    """A value for the example in docs/OPTIONS.md; "" for a switch."""
    help: str
    """Its description for the help text."""
    shown: str
    """The default as shown in the help text and docs/OPTIONS.md; "" for none."""
    after: str
    """The setting that precedes it in the help text and the documents; "": the one
    before it in the table.
    """

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"BOLIDE_{self.name.upper()}"

    @property
    def is_time(self) -> bool:
        """Whether it is a number of seconds that may have a fraction."""
        return self.unit == "s" and self.type.startswith("float")

    @property
    def is_limit(self) -> bool:
        """Whether the engine has a limit for it; docs/LIMITS.md lists those."""
        return bool(self.key and self.unit)

    def check(self, value: Any) -> float:
        """Convert ``value``, a number or its text, to a number of ``unit``.

        Raises ConfigError if it is not a number or is out of range.
        """
        kind = "a number" if self.is_time else "a whole number"
        try:
            number: float = float(value) if self.is_time else int(value)
            if isinstance(value, bool) or (not self.is_time and value != number):
                number = int(str(value))
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(self.name, f"takes {kind}, not {value!r}") from None
        assert self.highest is not None
        if not self.lowest <= number <= self.highest:
            reach = f"{self.lowest} to {self.highest} {self.unit}".rstrip()
            raise ConfigError(self.name, f"takes {reach}, not {value}")
        return number

    def for_engine(self, value: Any) -> Any:
        """Return a checked value in the engine's format; a time above 0 is rounded
        up to at least 1 ms.
        """
        if self.encoded:
            return value.encode()
        if not self.is_time:
            return value
        return max(round(value * 1000), int(value > 0))


_TAKES = {"s": "SECONDS", "bytes": "BYTES", "bytes/s": "BYTES"}


def setting(
    *,
    default: Any,
    unit: str = "",
    low: float = 0,
    high: float | None = None,
    key: str = "",
    encoded: bool = False,
    choices: tuple[str, ...] = (),
    group: str = "",
    option: str = "",
    takes: str | None = None,
    known_as: str = "",
    aliases: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    example: str = "",
    help: str = "",
    shown: str | None = None,
    after: str = "",
) -> Any:
    """Return a row of a table; ``Setting`` describes the arguments."""
    row = Setting()
    row.default = default
    row.unit = unit
    row.lowest, row.highest = low, high
    row.key, row.encoded = key, encoded
    row.choices = choices
    row.group, row.option = group, option
    if takes is None:
        takes = "|".join(choices)
        if not takes and not isinstance(default, bool):
            takes = _TAKES.get(unit, "NUMBER")
    row.takes = takes
    row.known_as, row.aliases, row.also = known_as, aliases, also
    row.example, row.help = example, help
    row.shown = _shown(default) if shown is None else shown
    row.after = after
    return row


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.15g}" if isinstance(value, (int, float)) else ""


class _SignatureOf:
    """The signature of the class for ``inspect.signature``, created on demand.

    A subclass that defines a constructor has the signature of that.
    """

    def __init__(self, cls: type[Any], constructor: object) -> None:
        self._cls, self._constructor = cls, constructor

    def __get__(self, _: object, asked: type[Any]) -> Signature:
        from inspect import Parameter, Signature

        if asked.__init__ is not self._constructor:
            raise AttributeError("__signature__")
        cls = self._cls
        parameters: list[Parameter] = []
        is_keyword = False
        for name, type_ in annotations_of(cls).items():
            is_keyword |= type_ == "KW_ONLY"
            if type_ == "KW_ONLY" or type_.startswith("ClassVar["):
                continue
            kind = (
                Parameter.KEYWORD_ONLY
                if is_keyword
                else Parameter.POSITIONAL_OR_KEYWORD
            )
            default = getattr(cls, name, Parameter.empty)
            parameters.append(Parameter(name, kind, default=default, annotation=type_))
        return Signature(parameters)


def _bind(
    cls: type[Any], names: list[str], npositional: int, given: tuple[Any, ...]
) -> dict[str, Any]:
    if len(given) > npositional:
        raise TypeError(
            f"{cls.__name__}() takes {npositional} positional arguments,"
            f" {len(given)} were given"
        )
    return dict(zip(names, given, strict=False))


def annotations_of(cls: type[Any]) -> dict[str, str]:
    """Return the annotations of a table, and after them those of its parts."""
    return {
        name: kind
        for part in cls.__mro__
        for name, kind in vars(part).get("__annotations__", {}).items()
    }


def rows_of(cls: type[Any]) -> tuple[Setting, ...]:
    """Return the settings of a class, named; its attributes become their defaults."""
    rows = []
    for name, type_ in annotations_of(cls).items():
        row = getattr(cls, name, None)
        if isinstance(row, Setting):
            row.name, row.type = name, type_
            row.option = row.option or "--" + name.replace("_", "-")
            setattr(cls, name, row.default)
            rows.append(row)
    return tuple(rows)


@dataclass_transform(field_specifiers=(setting,), kw_only_default=True)
def table_part(cls: type[T]) -> type[T]:
    """Mark a base class of a table; its settings are keywords, and come last."""
    return cls


@dataclass_transform(field_specifiers=(setting,))
def table(cls: type[T]) -> type[T]:
    """Give ``cls`` a constructor; the annotations of its module are text (PEP 563).

    Names after ``_: KW_ONLY`` are keyword-only; one of type InitVar is passed to
    ``__post_init__``, which is called last. The constructor raises TypeError for
    unknown, duplicate or missing arguments. ``cls.rows`` are the settings.
    """
    kinds = annotations_of(cls)
    cls.rows = rows_of(cls)  # type: ignore[attr-defined]
    parts = [name for name, kind in kinds.items() if not kind.startswith("ClassVar[")]
    npositional = parts.index("_")
    names = [name for name in parts if name != "_"]
    passed_on = [name for name in names if kinds[name].startswith("InitVar[")]
    defaults = {name: getattr(cls, name) for name in names if hasattr(cls, name)}
    known = frozenset(names)

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        values = _bind(type(self), names, npositional, given)
        called = type(self).__name__
        for name in named:
            if name not in known:
                raise TypeError(
                    f"{called}() got an unexpected keyword argument {name!r}"
                )
            if name in values:
                raise TypeError(f"{called}() got {name!r} twice")
        values = defaults | values | named
        if missing := [name for name in names if name not in values]:
            raise TypeError(f"{called}() misses {', '.join(missing)}")
        last = [values.pop(name) for name in passed_on]
        self.__dict__.update(values)
        self.__post_init__(*last)

    cls.__init__ = __init__  # type: ignore[method-assign]
    cls.__signature__ = _SignatureOf(cls, __init__)  # type: ignore[attr-defined]
    return cls
