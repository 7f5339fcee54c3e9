"""Classes whose annotated names are the parameters of their constructor.

As ``dataclasses.dataclass`` makes them, but without code that is compiled for each: for
the settings of Config that takes 10 ms and 1.6 MiB of every process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from inspect import Signature

T = TypeVar("T")


class _SignatureOf:
    """What ``inspect.signature`` says of the class, made when it is asked for.

    A subclass with a constructor of its own has that one's.
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
        for name, type_ in cls.__annotations__.items():
            if type_ == "KW_ONLY":
                is_keyword = True
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


@dataclass_transform()
def record(cls: type[T]) -> type[T]:
    """Give ``cls`` a constructor; the annotations of its module are text (PEP 563).

    Names behind ``_: KW_ONLY`` are keywords alone; one of type InitVar goes to
    ``__post_init__``, which is called last where there is one. TypeError for what is no
    parameter, given twice, or missing.
    """
    kinds = cls.__annotations__
    names = [name for name, kind in kinds.items() if kind != "KW_ONLY"]
    passed_on = [name for name in names if kinds[name].startswith("InitVar[")]
    npositional = list(kinds.values()).index("KW_ONLY") if "_" in kinds else len(names)
    defaults = {name: getattr(cls, name) for name in names if hasattr(cls, name)}
    known = frozenset(names)

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        values = _bind(cls, names, npositional, given)
        for name in named:
            if name not in known:
                raise TypeError(
                    f"{cls.__name__}() got an unexpected keyword argument {name!r}"
                )
            if name in values:
                raise TypeError(f"{cls.__name__}() got {name!r} twice")
        values = defaults | values | named
        if missing := [name for name in names if name not in values]:
            raise TypeError(f"{cls.__name__}() misses {', '.join(missing)}")
        last = [values.pop(name) for name in passed_on]
        self.__dict__.update(values)
        if hasattr(self, "__post_init__"):
            self.__post_init__(*last)

    cls.__init__ = __init__  # type: ignore[method-assign]
    cls.__signature__ = _SignatureOf(cls, __init__)  # type: ignore[attr-defined]
    return cls
