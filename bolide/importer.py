"""From ``"package.module:attribute"`` to an application that can be called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any


class ImportFailed(Exception):
    """The application cannot be had; the text is one line that says why."""


def _import_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            raise ImportFailed(f'there is no module "{missing}"') from None
        raise ImportFailed(
            f'module "{name}" imports "{missing}", which is not there'
        ) from error
    except Exception as error:
        raise ImportFailed(
            f'module "{name}" fails at its import: {_where(error)}'
        ) from error


def _where(error: BaseException) -> str:
    """Return the exception in one line, with the place it was raised at."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}, line {error.lineno})"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return text
    return f"{text} ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _find_attribute(module: Any, target: str, path: str) -> Any:
    found = module
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ImportFailed(
                f'"{target}": there is no attribute "{name}" in '
                f'"{getattr(found, "__name__", type(found).__name__)}"'
            ) from None
    return found


def import_from_string(target: str) -> Any:
    """Return what ``target``, ``"module:attribute"``, names.

    ``attribute`` may be dotted. Raises ImportFailed with a line that says whether the
    form is wrong, the module or the attribute is missing, or the import fails.
    """
    module_name, colon, path = target.partition(":")
    if not colon or not module_name or not path:
        raise ImportFailed(f'"{target}" is not of the form "module:attribute"')
    return _find_attribute(_import_module(module_name), target, path)


def load_app(target: str | Any, *, factory: bool, app_dir: str | None) -> Any:
    """Return the ASGI 3.0 application that ``target`` names, or is.

    With ``factory`` the named thing is called without arguments and returns it.
    ``app_dir`` comes first on ``sys.path``. An ASGI 2.0 application (a callable that
    takes the scope alone) is wrapped. Raises ImportFailed.
    """
    if app_dir is not None and app_dir not in sys.path:
        sys.path.insert(0, app_dir)
    app = import_from_string(target) if isinstance(target, str) else target
    name = target if isinstance(target, str) else repr(target)
    if factory:
        app = _call_factory(name, app)
    if not callable(app):
        raise ImportFailed(
            f'"{name}" is no application: {type(app).__name__} objects are not callable'
        )
    return _wrap_double_callable(app) if _is_double_callable(app) else app


def _call_factory(name: str, factory: Any) -> Any:
    if not callable(factory):
        raise ImportFailed(f'"{name}" is no factory: it is not callable')
    try:
        return factory()
    except Exception as error:
        raise ImportFailed(f'the factory "{name}" fails: {_where(error)}') from error


_IS_COROUTINE = 0x80
_IS_VARARGS = 0x04


def _takes_scope_alone(function: Any, bound: int) -> bool:
    """Return whether a plain function takes one argument behind ``bound`` ones."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & (_IS_COROUTINE | _IS_VARARGS):
        return False
    return bool(code.co_argcount == bound + 1)


def _is_double_callable(app: Any) -> bool:
    """Return whether ``app`` is of ASGI 2.0: ``app(scope)`` returns the coroutine function.

    Decided by its own marks, else by how many arguments it takes.
    """
    if getattr(app, "_asgi_single_callable", False):
        return False
    if getattr(app, "_asgi_double_callable", False):
        return True
    if isinstance(app, type):
        return _takes_scope_alone(getattr(app, "__init__", None), 1)
    if hasattr(app, "__func__"):
        return _takes_scope_alone(app.__func__, 1)
    if hasattr(app, "__code__"):
        return _takes_scope_alone(app, 0)
    return _takes_scope_alone(getattr(type(app), "__call__", None), 1)


def _wrap_double_callable(app: Any) -> Callable[[Any, Any, Any], Any]:
    async def single(scope: Any, receive: Any, send: Any) -> Any:
        return await app(scope)(receive, send)

    return single
